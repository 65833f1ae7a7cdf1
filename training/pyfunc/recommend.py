# MLflow runs this file to build the model that `mlflow.pyfunc.load_model` returns.
from training.experiments import offer_to_mlflow

offer_to_mlflow("recommend")
