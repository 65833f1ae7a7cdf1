"""The recipe that comes with the sample: how each of its exports fills OneBasket's tables."""

from importlib.resources import files

from training.sample.plan import Plan


def recipe_text(plan: Plan) -> str:
    """The recipe of a sample."""
    head = (
        f"# A sample of {plan.customers:,} customers over {plan.days:,} days from {plan.starts_on}, seed {plan.seed}.\n"
        f"# Made by: onebasket sample omnichannel --customers {plan.customers} --days {plan.days} --seed {plan.seed} "
        f"--starts-on {plan.starts_on} --files {plan.files}\n"
    )
    return head + (files("training.sample") / "omnichannel.toml").read_text("utf-8")
