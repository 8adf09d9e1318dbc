import csv
import json
from pathlib import Path

import pytest

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.text.corpora import ROOT_VARIABLE, read_corpora, read_each, read_table

SHIPPED = Path(__file__).parents[3] / "config" / "training" / "corpora.yaml"
EMOTIONS = ("joy", "anger", "surprise")

OOS = """
  a:
    format: oos-eval
    source: somewhere
    licence: free
    train: oos.json
    validation: oos.json
    labels:
      - {subject: farewell, gesture: wave, emotion: positive, of: goodbye}
      - {subject: neutral, gesture: nod, emotion: neutral, of: ["yes"]}
      - {subject: null, gesture: neutral, emotion: null, of: oos}
"""
NLU = """
  b:
    format: nlu-evaluation
    source: somewhere
    licence: free
    train: nlu
    labels:
      - {subject: request, gesture: neutral, emotion: neutral, of: [alarm_set, audio_volume_up]}
"""
BANKING = """
  c:
    format: banking77
    source: somewhere
    licence: free
    train: banking.csv
    labels:
      - {subject: inquiry, gesture: neutral, emotion: neutral, of: "reverted?"}
"""
GOEMOTIONS = """
  d:
    format: goemotions
    source: somewhere
    licence: free
    train: go.tsv
    validation: dev.tsv
    labels:
      - {subject: null, gesture: null, emotion: positive, of: joy}
      - {subject: anger, gesture: null, emotion: negative, of: anger}
      - {subject: null, gesture: null, emotion: null, of: surprise}
"""


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)


def table(folder, *corpora):
    path = folder / "corpora.yaml"
    path.write_text("root: data\ncorpora:" + "".join(corpora), encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    return path


def oos(folder, train, val=(), **others):
    data = {"train": train, "val": val, "oos_train": [], "oos_val": [], **others}
    (folder / "data" / "oos.json").write_text(json.dumps(data))


def goemotions(folder, *lines, file="go.tsv"):
    (folder / "data" / "goemotions_labels.txt").write_text("\n".join(EMOTIONS))
    (folder / "data" / file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def labels(subject, gesture, emotion):
    return {"subject": subject, "gesture": gesture, "emotion": emotion}


def test_oos_eval_gives_its_own_parts_and_what_fits_no_intent(tmp_path):
    path = table(tmp_path, OOS)
    oos(tmp_path, [["bye", "goodbye"]], [["yep", "yes"]], oos_train=[["why?", "oos"]], test=[["x", "no"]])
    bye, why = read_corpora(path)
    assert (bye.text, bye.labels, bye.split) == ("bye", labels("farewell", "wave", "positive"), "train")
    assert (why.text, why.labels) == ("why?", labels(None, "neutral", None))
    (yes,) = read_corpora(path, "validation")
    assert (yes.text, yes.labels["gesture"], yes.split) == ("yep", "nod", "validation")


def test_a_folder_of_nlu_files_is_one_corpus_and_unanswered_lines_are_left_out(tmp_path):
    path = table(tmp_path, NLU)
    (tmp_path / "data" / "nlu").mkdir()
    columns = ["answerid", "scenario", "intent", "answer_annotation", "answer_from_user"]
    rows = {
        "alarm_set": [[1, "alarm", "set", "wake me at [time : six]", "Wake me; at six!"]],
        "volume": [[2, "audio", "volume_up", "louder", "Louder"], [3, "audio", "volume_up", "null", "null"]],
    }
    for name, lines in rows.items():
        with (tmp_path / "data" / "nlu" / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file, delimiter=";").writerows([columns, *lines])
    found = read_corpora(path)
    assert [line.text for line in found] == ["Wake me; at six!", "Louder"]
    assert {line.labels["subject"] for line in found} == {"request"}
    assert read_corpora(path, "validation") == []


def test_banking_lines_lose_their_line_breaks(tmp_path):
    path = table(tmp_path, BANKING)
    (tmp_path / "data" / "banking.csv").write_text('text,category\n"\nWhere, is\nit?\n",reverted?\n')
    (line,) = read_corpora(path)
    assert (line.text, line.labels) == ("Where, is it?", labels("inquiry", "neutral", "neutral"))


def test_goemotions_lines_get_what_all_their_labels_say_and_names_instead_of_masks(tmp_path):
    path = table(tmp_path, GOEMOTIONS)
    goemotions(tmp_path, 'Ha, "[NAME]!\t0\tx', "Go!\t1\ty", "So?\t0,1\tz", "Oh!\t0,2\tz", "Yes!\t0,0\tz")
    found = {line.text: line.labels for line in read_corpora(path)}
    assert found == {
        'Ha, "Alex!': labels(None, None, "positive"),
        "Go!": labels("anger", None, "negative"),
        "So?": labels(None, None, None),
        "Oh!": labels(None, None, None),
        "Yes!": labels(None, None, "positive"),
    }


def test_own_files_have_our_labels_already(tmp_path):
    path = table(tmp_path, "\n  e: {format: utterances, source: me, licence: mine, train: own.jsonl}\n")
    own = [{"text": "Hi!", "gesture": "wave"}, {"text": "Bye!", "gesture": "wave", "split": "test"}]
    (tmp_path / "data" / "own.jsonl").write_text("\n".join(map(json.dumps, own)))
    (line,) = read_corpora(path)
    assert (line.text, line.labels) == ("Hi!", labels(None, "wave", None))


def test_a_text_counts_once_with_what_its_copies_agree_on(tmp_path):
    path = table(tmp_path, OOS, GOEMOTIONS)
    oos(tmp_path, [["ok", "yes"], ["OK!", "yes"], ["fine", "yes"]])
    goemotions(tmp_path, "Fine.\t0\tx")
    ok, fine = read_corpora(path)
    assert (ok.text, ok.labels) == ("ok", labels("neutral", "nod", "neutral"))
    assert (fine.text, fine.labels) == ("fine", labels(None, None, None))


def test_nothing_is_both_trained_on_and_validated(tmp_path):
    path = table(tmp_path, OOS, GOEMOTIONS)
    oos(tmp_path, [["ok", "yes"]], [["sure", "yes"], ["bye", "goodbye"]])
    goemotions(tmp_path, "Sure!\t0\tx")
    goemotions(tmp_path, "Ok.\t0\tx", "Wow\t0\ty", file="dev.tsv")
    found = read_each(path, "validation")
    assert {name: [line.text for line in lines] for name, lines in found.items()} == {
        "a": ["bye"],
        "d": ["Wow"],
    }


def test_the_environment_says_where_the_corpora_are(tmp_path, monkeypatch):
    path = table(tmp_path, OOS)
    oos(tmp_path, [["bye", "goodbye"]])
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(
        InputError,
        match=r"oos\.json: cannot be read: No such file or directory\. .*corpus a \(somewhere\).*"
        + ROOT_VARIABLE,
    ):
        read_corpora(path)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "elsewhere"))
    assert len(read_corpora(path)) == 1


def test_missing_files_are_named_without_numbers(tmp_path):
    path = table(tmp_path, GOEMOTIONS)
    goemotions(tmp_path, "Ha!\t0\tx")
    labels = tmp_path / "data" / "goemotions_labels.txt"
    labels.unlink()
    for missing, read in ((labels, read_corpora), (tmp_path / "none.yaml", read_table)):
        with pytest.raises((InputError, ConfigurationError)) as error:
            read(path if missing == labels else missing)
        assert str(error.value).startswith(f"{missing}: cannot be read: No such file or directory")


def test_bad_lines_are_named(tmp_path):
    path = table(tmp_path, OOS)
    oos(tmp_path, [["bye", "goodbye"], ["x", "hello"]])
    with pytest.raises(InputError) as error:
        read_corpora(path)
    message = "train[1]: label 'hello' of a is not in the mapping. Known: goodbye, oos, yes"
    assert str(error.value).endswith(message)
    (tmp_path / "data" / "oos.json").write_text('{"train": [["x"]]}')
    with pytest.raises(InputError, match="not in the form of oos-eval"):
        read_corpora(path)
    path = table(tmp_path, GOEMOTIONS)
    goemotions(tmp_path, "a\t0\tx", "a\t3\tx")
    with pytest.raises(InputError, match=r"go\.tsv:2: needs text, label numbers below 3"):
        read_corpora(path)
    path = table(tmp_path, BANKING)
    (tmp_path / "data" / "banking.csv").write_text("text,category\na,reverted?\nb\n")
    with pytest.raises(InputError, match=r"banking\.csv:3: needs text, category"):
        read_corpora(path)
    (tmp_path / "data" / "banking.csv").write_text("line,category\n")
    with pytest.raises(InputError, match="no column text"):
        read_corpora(path)
    with pytest.raises(InputError, match=r"unknown part 'test'\. Known: train, validation"):
        read_corpora(path, "test")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format: oos-eval", "format: oos", "a: unknown format 'oos'. Known: oos-eval, nlu-evaluation"),
        (
            "gesture: wave",
            "gesture: waive",
            "a: unknown gesture 'waive' (did you mean wave?)",
        ),
        ("gesture: wave", "jesture: wave", "a: labels: unknown jesture, missing gesture"),
        ("licence: free", "", "a: missing licence"),
        ('["yes"]', "[yes]", "a: label True must be in quotes"),
        ('["yes"]', "[goodbye]", "a: label 'goodbye' is mapped twice"),
        ("root: data", "roof: data", "unknown roof, missing root"),
        ("root: data", "root: [", "cannot be read"),
    ],
)
def test_a_wrong_table_is_one_clear_line(tmp_path, old, new, message):
    path = table(tmp_path, OOS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError) as error:
        read_table(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_shipped_table_is_complete():
    sizes = {corpus.name: len(corpus.labels) for corpus in read_table(SHIPPED)}
    assert sizes == {"oos": 151, "nlu": 64, "goemotions": 28, "banking77": 77}
    for corpus in read_table(SHIPPED):
        assert corpus.source.startswith("https://")
        assert corpus.licence
        for ours in corpus.labels.values():
            assert set(ours) == set(TASKS)
            if ours["subject"] in ("inquiry", "request"):  # who asks keeps the hands still
                assert ours["gesture"] in ("neutral", None)
                assert ours["emotion"] in ("neutral", None)
