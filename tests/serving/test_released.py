import pytest

from features.workspace import point
from models.bundle import release_version
from serving.faults import Fault
from serving.messages import RecommendationRequest
from serving.released import RETRY_POLLS, Released
from tests.fixtures import tiny_bundles

FIRST, SECOND = "recommend-2024-05-05-aaaaaaaa", "recommend-2024-05-05-bbbbbbbb"


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
def released(tmp_path, failures):
    tiny_bundles.write_recommend(tmp_path, FIRST)
    release_version(tmp_path / "bundles", "recommend", FIRST)
    opened = Released(tmp_path / "bundles", ["recommend"], 1.0, failed=failures.append)
    opened.look()
    return opened


def version_of(released: Released) -> str:
    return released.recommending().answer(RecommendationRequest(), "id").model_version


def test_a_new_release_answers_after_the_next_look_and_a_rollback_after_the_one_then(released, tmp_path):
    assert version_of(released) == FIRST
    tiny_bundles.write_recommend(tmp_path, SECOND)
    release_version(tmp_path / "bundles", "recommend", SECOND)
    assert version_of(released) == FIRST
    released.look()
    assert version_of(released) == SECOND
    release_version(tmp_path / "bundles", "recommend", FIRST)
    released.look()
    assert version_of(released) == FIRST


def test_a_reference_taken_before_a_switch_goes_on_answering(released, tmp_path):
    before = released.recommending()
    tiny_bundles.write_recommend(tmp_path, SECOND)
    release_version(tmp_path / "bundles", "recommend", SECOND)
    released.look()
    assert before.answer(RecommendationRequest(customer_id="c01"), "id").model_version == FIRST


def test_a_damaged_release_leaves_the_old_one_answering_and_is_reported(released, tmp_path, failures, caplog):
    bundle = tiny_bundles.write_recommend(tmp_path, SECOND)
    next(bundle.folder.rglob("*.npy")).write_bytes(b"damaged")
    point(tmp_path / "bundles" / "recommend" / "RELEASED", SECOND)
    for _ in range(3):
        released.look()
    assert version_of(released) == FIRST
    assert released.missing == []
    assert "differs from what was sealed" in released.problems[0]
    assert failures == ["recommend"]
    assert f"{FIRST} goes on answering" in caplog.text
    release_version(tmp_path / "bundles", "recommend", FIRST)
    released.look()
    assert released.problems == []


def test_a_damaged_release_that_is_mended_is_opened_at_a_later_look(released, tmp_path):
    point(tmp_path / "bundles" / "recommend" / "RELEASED", SECOND)
    released.look()
    tiny_bundles.write_recommend(tmp_path, SECOND)
    for _ in range(RETRY_POLLS + 1):
        released.look()
    assert version_of(released) == SECOND


def test_before_any_release_the_fault_says_what_to_do(tmp_path):
    empty = Released(tmp_path, ["recommend", "forecast"], 1.0)
    empty.look()
    assert "set ONEBASKET_KINDS=recommend" in empty.missing[1]
    with pytest.raises(Fault, match="no forecast bundle is released"):
        empty.planning()
