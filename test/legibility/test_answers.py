"""Answers of viewers: what is counted as right, how agreement is scored, which forms are refused."""

import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.legibility.answers import Answer, read_form, read_key, score

KEY = {
    f"{number:03d}": {"gesture": gesture, "emotion": "neutral", "robot": robot, "seed": "1"}
    for number, (gesture, robot) in enumerate(
        [("nod", "pepper"), ("wave", "pepper"), ("pat", "nao"), ("yay", "nao")], start=1
    )
}


def form(*first, second="", legibility=None):
    return {strip: Answer(said, second, legibility) for strip, said in zip(KEY, first, strict=False) if said}


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_key_read_back_scores_full_and_anything_else_by_its_share():
    found = score(KEY, [form("nod", "wave", "pat", "yay", legibility=5.0)])
    assert found["together"] | {"interval": None} == {
        "answers": 4,
        "first": 1.0,
        "interval": None,
        "first_or_second": 1.0,
        "legibility": 5.0,
    }
    assert (found["confused"], found["agreement"]) == ([], None)
    found = score(KEY, [form("nod", "pat", "shrug", "nod", second="yay")])
    assert (found["together"]["first"], found["together"]["first_or_second"]) == (0.25, 0.5)
    assert found["robot"]["pepper"]["first"] == 0.5
    assert found["gesture"]["yay"] | {"interval": None} == {
        "answers": 1,
        "first": 0.0,
        "interval": None,
        "first_or_second": 1.0,
        "legibility": None,
    }
    assert {"shown": "pat", "said": "shrug", "count": 1} in found["confused"]


def test_the_interval_holds_the_share_and_narrows_with_more_answers():
    few, many = (score(KEY, [form("nod", "wave", "pat", "nod")] * count)["together"] for count in (1, 20))
    for found in (few, many):
        assert found["interval"][0] < found["first"] == 0.75 < found["interval"][1]
    assert few["interval"][1] - few["interval"][0] > 2.0 * (many["interval"][1] - many["interval"][0])


def test_agreement_is_that_of_pairs_beyond_chance():
    one = form("nod", "wave", "pat", "yay")
    assert score(KEY, [one, one])["agreement"] == {"same_first": 1.0, "kappa": 1.0}
    half = score(KEY, [form("nod", "nod", "pat", "pat"), form("nod", "pat", "nod", "pat")])["agreement"]
    assert half == {"same_first": 0.5, "kappa": 0.0}
    assert score(KEY, [one, form("nod", "wave")])["agreement"]["same_first"] == 1.0


@pytest.mark.parametrize("separator", [",", ";"])
def test_forms_are_read_as_spreadsheets_write_them(tmp_path, separator):
    lines = ["strip,first,second,legibility,remark", " 002 , wave ,,4.5,", "001,,,,", "003,pat,nod,,what?"]
    path = write(tmp_path / "form.csv", *(line.replace(",", separator) for line in lines))
    assert read_form(path, KEY) == {"002": Answer("wave", "", 4.5), "003": Answer("pat", "nod", None)}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["strip,first"], "lacks the column 'second'"),
        (["strip,first,second,legibility", "009,nod,,"], "line 2: strip '009' is not in the key"),
        (["strip,first,second,legibility", "001,nod,,", "001,nod,,"], "line 3: strip '001' stands twice"),
        (["strip,first,second,legibility", "001,dance,,"], "line 2, first is 'dance'. Allowed: handshake"),
        (["strip,first,second,legibility", "001,nod,bow,"], "line 2, second is 'bow'"),
        (["strip,first,second,legibility", "001,nod,,6"], "legibility must be in [1, 5] but is '6'"),
        (["strip,first,second,legibility", "001,nod,,good"], "legibility must be in [1, 5] but is 'good'"),
        (["strip,first,second,legibility", "001,,,"], "no first choice is filled in"),
        ([""], "lacks the column 'strip'"),
    ],
)
def test_what_is_no_answer_is_told_with_its_place(tmp_path, lines, told):
    path = write(tmp_path / "form.csv", *lines)
    with pytest.raises(InputError, match=r"form\.csv") as refusal:
        read_form(path, KEY)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_key_names_each_strip_once(tmp_path):
    head = "strip,gesture,emotion,robot,seed"
    path = write(tmp_path / "key.csv", head, "001,nod,neutral,pepper,3")
    assert read_key(path) == {
        "001": {"strip": "001", "gesture": "nod", "emotion": "neutral", "robot": "pepper", "seed": "3"}
    }
    for lines in ([head], [head, "001,dance,,,"], [head, "001,nod,,,", "001,nod,,,"]):
        with pytest.raises(InputError):
            read_key(write(path, *lines))
