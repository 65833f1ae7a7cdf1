import pytest

from features.errors import SettingsError
from serving.settings import ServingSettings, settings_from


def test_the_environment_sets_what_it_names_and_leaves_the_rest():
    settings = settings_from({"ONEBASKET_WORKERS": "3", "ONEBASKET_KINDS": "recommend", "ONEBASKET_MEMORY": "2GB"})
    assert (settings.workers, settings.kinds) == (3, ("recommend",))
    assert settings.poll_seconds == ServingSettings().poll_seconds


def test_the_server_listens_to_this_machine_only_unless_told_otherwise():
    assert str(settings_from({}).host) == "127.0.0.1"


def test_every_wrong_variable_is_named_with_its_value():
    with pytest.raises(SettingsError) as raised:
        settings_from({"ONEBASKET_WORKSPCE": "x", "ONEBASKET_PORT": "99999", "ONEBASKET_KINDS": "recomend"})
    message = str(raised.value)
    assert "ONEBASKET_WORKSPCE: there is no such setting (did you mean 'ONEBASKET_WORKSPACE'?)" in message
    assert "ONEBASKET_PORT='99999'" in message
    assert "ONEBASKET_KINDS='recomend'" in message


def test_settings_do_not_change_once_read():
    with pytest.raises(ValueError, match="frozen"):
        settings_from({}).workers = 2
