import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.training.text.report import embed, likeness, report, words
from text2gesture_ros.training.text.utterances import Utterance

LINES = """text,subject,gesture,emotion,split,gesture_ok
The train leaves at nine.,information,neutral,neutral,train,neutral
"Hello, you two!",greeting,wave,positive,train,wave|handshake
The train leaves at nine!,information,neutral,neutral,test,neutral
"""


def line(text, split="train"):
    return Utterance(text, dict.fromkeys(("subject", "gesture", "emotion")), {}, split)


def test_counts_lengths_and_the_pair_that_says_the_same(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(LINES)
    found = report(path)
    parts = found["parts"]
    assert {name: part["lines"] for name, part in parts.items()} == {"all": 3, "train": 2, "test": 1}
    assert parts["all"]["words"]["mean"] == pytest.approx((5 + 3 + 5) / 3)
    assert (parts["all"]["words"]["min"], parts["all"]["words"]["max"]) == (3.0, 5.0)
    assert parts["train"]["vocabulary"] == 8
    assert parts["all"]["labels"]["gesture"]["wave"] == 1
    assert sum(parts["all"]["labels"]["subject"].values()) == 3
    assert parts["train"]["second_labels"] == {"subject": 0, "gesture": 1, "emotion": 0}
    (pair,) = found["likeness"]["too_near"]
    assert pair["texts"] == ["The train leaves at nine.", "The train leaves at nine!"]
    assert pair == found["likeness"]["nearest"]
    assert found["likeness"]["nearest_train_line_of_test"]["max"] == pytest.approx(pair["cosine"], abs=1e-4)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text\n")
    with pytest.raises(InputError, match=r"a\.csv: no line"):
        report(path)


def test_words():
    assert words("Don\u2019t, it's 9 o'clock!") == ["don\u2019t", "it's", "9", "o'clock"]


def test_the_nearest_of_many_is_found_wherever_it_stands():
    """Against all pairs at once, across the borders of blocks."""
    generator = np.random.default_rng(4)
    vectors = generator.normal(size=(1100, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    utterances = [line(str(number), "train" if number % 3 else "test") for number in range(len(vectors))]
    found = likeness(utterances, vectors)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    expected = {tuple(sorted(map(str, pair))) for pair in np.argwhere(cosines >= 0.9).tolist()}
    assert {tuple(sorted(pair["texts"])) for pair in found["too_near"]} == expected
    assert len(found["too_near"]) == len(expected)
    assert found["nearest"]["cosine"] == pytest.approx(cosines.max(), abs=1e-4)
    train = np.array([number % 3 > 0 for number in range(len(vectors))])
    for split, members in (("train", train), ("test", ~train)):
        nearest = cosines[members][:, train].max(axis=1)
        assert found[f"nearest_train_line_of_{split}"]["mean"] == pytest.approx(nearest.mean())


def test_vectors_do_not_depend_on_what_else_is_embedded():
    texts = ["Hello!", "The lift is at the end of the corridor, on your left.", "No."]
    together = embed(texts)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0)
    for text, vector in zip(texts, together, strict=True):
        assert embed([text])[0] == pytest.approx(vector, abs=1e-5)
