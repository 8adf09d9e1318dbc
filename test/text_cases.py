"""What the tests of the text training share: a dozen lines and a tiny random BERT that knows their words."""

from pathlib import Path

import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

SHIPPED = Path(__file__).parents[1] / "config" / "training" / "text.yaml"
LINES = [
    ("hello friend", "greeting", "wave", "positive"),
    ("hello you", "greeting", "wave", "positive"),
    ("hello all", "greeting", "wave", ""),
    ("goodbye friend", "farewell", "wave", "neutral"),
    ("goodbye you", "", "wave", "neutral"),
    ("goodbye all", "farewell", "wave", "neutral"),
    ("no friend", "anger", "shakehead", "negative"),
    ("no you", "anger", "shakehead", "negative"),
    ("no all", "anger", "shakehead", "negative"),
    ("yes friend", "praise", "nod", "positive"),
    ("yes you", "praise", "", "positive"),
    ("yes all", "praise", "nod", "positive"),
]
OUTLIERS = ["friend friend", "you you you", "friend you", "you all", "all friend all"]


def write_plm(folder: Path) -> Path:
    """Write a BERT of two layers, and its tokenizer, into `folder` and return it."""
    words = sorted({word for line in LINES for word in line[0].split()})
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(folder)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=32,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def write_training(folder: Path) -> Path:
    """Write a training file, its lines, outliers and PLM into `folder` and return the path of the file."""
    write_plm(folder / "plm")
    table = ["text,subject,gesture,emotion,split", *(",".join([*line, "train"]) for line in LINES)]
    # A test line the training must not look at: its label would be an error nobody could overlook.
    (folder / "data.csv").write_text("\n".join([*table, "hello no,anger,yay,negative,test"]) + "\n")
    outliers = ["text,kind,split", *(f"{text},string,train" for text in OUTLIERS), "all all,string,test"]
    (folder / "outliers.csv").write_text("\n".join(outliers) + "\n")
    return change(
        SHIPPED, plm="plm", data=["data.csv"], outliers="outliers.csv", corpora="", corpora_share=0.0,
        lines=0, epochs=6, batch_size=4, patience=6, validation_part=0.25, average_from=0.5, alternatives=0.5,
        encoder_learning_rate=1e-2, head_learning_rate=1e-2, dropout=0.1, target=folder / "text.yaml",
    )  # fmt: skip


def change(config: Path, target: Path | None = None, **entries: object) -> Path:
    """Write a training file with some entries changed, in its place or to `target`, and return its path."""
    settings = yaml.safe_load(config.read_text(encoding="utf-8")) | entries
    target = target or config
    target.write_text(yaml.safe_dump(settings))
    return target
