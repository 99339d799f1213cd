"""Every form of FER-2013 reads alike, and everything broken is refused by name and line."""

import gzip
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy_data import (
    class_files,
    csv_text,
    encoded,
    kaggle_files,
    picture_set,
    png,
    tar_bytes,
    toy_dataset,
    write_csv,
    write_folder,
    write_icml,
    write_zip,
)

from edge_fer.errors import DataError
from edge_fer.labels import FER_LABELS, class_number
from edge_fer.train.dataset import PRIVATE, PUBLIC, SPLITS, TRAINING, Dataset
from edge_fer.train.readers import load


def _same_in_order(got: Dataset, wanted: Dataset) -> None:
    for name in ("pixels", "labels", "splits", "rows"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), name)
        assert getattr(got, name).dtype == getattr(wanted, name).dtype
    assert got.names == FER_LABELS
    assert got.dropped == 0


def test_csv_reads_as_the_arrays(tmp_path, small):
    _same_in_order(load(write_csv(tmp_path / "fer2013.csv", small)), small)


def test_icml_csv_reads_as_the_arrays(tmp_path, small):
    _same_in_order(load(write_icml(tmp_path / "icml_face_data.csv", small)), small)


def test_csv_with_quotes_windows_lines_and_blank_lines_reads_alike(tmp_path, small):
    text = re.sub(r",([\d ]{1000,}),", r',"\1",', csv_text(small)).replace("\n", "\r\n")
    assert '"' in text
    path = tmp_path / "fer2013.CSV"
    path.write_bytes((text + "\r\n\r\n").encode())
    _same_in_order(load(path), small)


@pytest.mark.parametrize(
    ("name", "pack"), [("a.tar.gz", gzip.compress), ("a.tgz", gzip.compress), ("a.tar", bytes)]
)
def test_tar_reads_as_the_arrays(tmp_path, small, name, pack):
    path = tmp_path / name
    path.write_bytes(pack(tar_bytes(small)))
    _same_in_order(load(path), small)


def test_zip_with_the_csv_reads_as_the_arrays(tmp_path, small):
    files = {"README": b"a note", "fer2013/fer2013.csv": csv_text(small).encode()}
    _same_in_order(load(write_zip(tmp_path / "fer.zip", files)), small)


def test_kaggle_folder_reads_as_the_arrays(tmp_path, small):
    data = load(write_folder(tmp_path / "fer", kaggle_files(small)))
    assert picture_set(data) == picture_set(small)
    assert len(data) == len(small)
    assert data.dropped == 0


def test_kaggle_zip_reads_as_the_folder(tmp_path, small):
    files = kaggle_files(small)
    folder = load(write_folder(tmp_path / "fer", files))
    _same_in_order(load(write_zip(tmp_path / "archive.zip", files)), folder)
    # Kaggle's own zip may hold a folder around it, and macOS adds files of its own
    around = {f"fer2013/{name}": content for name, content in files.items()}
    around["__MACOSX/fer2013/train/happy/._Training_1.jpg"] = b"not a picture"
    around["fer2013/readme.txt"] = b"a note"
    _same_in_order(load(write_zip(tmp_path / "around.zip", around)), folder)


def test_folder_rows_number_the_files_in_order(tmp_path, small):
    files = kaggle_files(small)
    data = load(write_folder(tmp_path / "fer", files))
    for row, picture in zip(data.rows, data.pixels, strict=True):
        assert png(picture) == files[sorted(files)[row]]


def test_jpeg_pictures_of_other_sizes_and_colors_are_made_48_grey(tmp_path):
    shades = {"happy": (50, 31, ".jpg"), "sad": (120, 96, ".webp"), "fear": (200, 480, ".bmp")}
    files = {}
    for name, (shade, side, suffix) in shades.items():
        picture = np.full((side, side + 9, 3), shade, np.uint8)
        picture[: side // 2, :, 2] += 20  # red, of which grey takes three tenths
        files[f"train/{name}/Training_a{suffix}"] = encoded(picture, suffix)
        files[f"test/{name}/PublicTest_b.png"] = png(np.full((48, 48), shade + 1, np.uint8))
        files[f"test/{name}/PrivateTest_c.png"] = png(np.full((48, 48), shade + 2, np.uint8))
    data = load(write_folder(tmp_path / "fer", files))
    assert data.pixels.shape == (9, 48, 48)
    for name, (shade, _, _) in shades.items():
        places = (data.labels == FER_LABELS.index(name)) & (data.splits == TRAINING)
        (picture,) = data.pixels[places].astype(int)
        assert abs(picture[:20] - (shade + 6)).max() <= 4
        assert abs(picture[28:] - shade).max() <= 4


def test_other_files_in_a_folder_are_passed_over(tmp_path, small):
    files = {**kaggle_files(small), "train/notes.txt": b"x", "train/happy/Thumbs.db": b"x"}
    assert picture_set(load(write_folder(tmp_path / "fer", files))) == picture_set(small)


def test_file_name_decides_the_split_before_the_folder(tmp_path, small):
    files = {"train/happy/PrivateTest_1.png": png(small.pixels[0]),
             "test/happy/Training_2.png": png(small.pixels[1]),
             "val/happy/x.png": png(small.pixels[2]),
             "test/happy/y.png": png(small.pixels[3])}  # fmt: skip
    data = load(write_folder(tmp_path / "fer", files))
    order = sorted(files)
    got = {order[row]: int(split) for row, split in zip(data.rows, data.splits, strict=True)}
    assert got == {"train/happy/PrivateTest_1.png": PRIVATE, "test/happy/Training_2.png": TRAINING,
                   "val/happy/x.png": PUBLIC, "test/happy/y.png": PRIVATE}  # fmt: skip


# Splits that have to be made


def _train_test_only(data: Dataset) -> dict[str, bytes]:
    held_out = data.splits == PRIVATE
    return {
        **{f"train/{n}": c for n, c in class_files(data.take(~held_out)).items()},
        **{f"test/{n}": c for n, c in class_files(data.take(held_out)).items()},
    }


def test_train_test_folder_gets_a_public_split_from_training(tmp_path):
    source = toy_dataset(training=20, public=0, private=2, seed=2)
    # one class with two pictures, one with a single one
    keep = np.ones(len(source), bool)
    for label, count in ((1, 2), (2, 1)):
        keep[np.flatnonzero((source.labels == label) & (source.splits == TRAINING))[count:]] = False
    source = source.take(keep)
    path = write_folder(tmp_path / "fer", _train_test_only(source))
    data = load(path, seed=5)

    private = source.take(source.splits == PRIVATE)
    assert picture_set(data.split("private")) == picture_set(private)
    both = picture_set(data.split("training")) | {
        (p, label, TRAINING) for p, label, _ in picture_set(data.split("public"))
    }
    assert both == picture_set(source.take(source.splits == TRAINING))
    public = np.bincount(data.split("public").labels, minlength=7).tolist()
    training = np.bincount(data.split("training").labels, minlength=7).tolist()
    assert public == [2, 1, 0, 2, 2, 2, 2]
    assert training == [18, 1, 1, 18, 18, 18, 18]

    assert load(path, seed=5).fingerprint() == data.fingerprint()
    assert load(path, seed=6).fingerprint() != data.fingerprint()
    assert picture_set(load(path, seed=6).split("private")) == picture_set(private)


@pytest.mark.parametrize("form", ["folder", "zip", "csv without Usage"])
def test_set_without_splits_is_divided_into_three(tmp_path, form):
    source = toy_dataset(training=10, public=0, private=0, seed=3)
    if form == "folder":
        path = write_folder(tmp_path / "faces", class_files(source))
    elif form == "zip":
        path = write_zip(tmp_path / "faces.zip", class_files(source, "faces/"))
    else:
        path = tmp_path / "faces.csv"
        path.write_text(csv_text(source, ("emotion", "pixels")))
    data = load(path)
    counts = {name: np.bincount(data.split(name).labels).tolist() for name in SPLITS}
    assert counts == {"training": [8] * 7, "public": [1] * 7, "private": [1] * 7}
    assert {(p, label) for p, label, _ in picture_set(data)} == {
        (p, label) for p, label, _ in picture_set(source)
    }
    assert load(path).fingerprint() == data.fingerprint()
    assert load(path, seed=1).fingerprint() != data.fingerprint()


def test_set_without_splits_is_divided_80_10_10(tmp_path):
    source = toy_dataset(training=50, public=0, private=0, seed=4)
    source = source.take(source.labels < 2)
    data = load(write_folder(tmp_path / "faces", class_files(source)))
    counts = [int((data.splits == split).sum()) for split in (TRAINING, PUBLIC, PRIVATE)]
    assert counts == [80, 10, 10]


@pytest.mark.parametrize(
    ("spelling", "label"),
    [("anger", 0), ("Angry", 0), ("disgusted", 1), ("fearful", 2), ("afraid", 2), ("HAPPINESS", 3),
     ("sadness", 4), ("suprise", 5), ("surprised", 5), ("Neutral", 6), ("3", 3), (" sad ", 4)],
)  # fmt: skip
def test_class_names_in_other_spellings(tmp_path, small, spelling, label):
    one, other = png(small.pixels[0]), png(small.pixels[1])
    files = {f"train/{spelling}/a.png": one, "test/sad/b.png": other}
    data = load(write_folder(tmp_path / "fer", files))
    assert data.split("training").labels.tolist() == [label]
    text = f"emotion,pixels,Usage\n{spelling},{' '.join(['7'] * 2304)},Training\n"
    path = tmp_path / "one.csv"
    path.write_text(text)
    assert load(path).labels.tolist() == [label]


@settings(deadline=None)
@given(st.text())
def test_class_number_takes_any_text(text):
    number = class_number(text)
    assert number is None or 0 <= number < len(FER_LABELS)


@pytest.mark.parametrize("text", ["²", "7", "-1", "9" * 5000, "", "joyful", "1.0"])
def test_class_number_of_what_is_no_class(text):
    assert class_number(text) is None


# Duplicates


def test_training_pictures_that_another_split_holds_are_left_out(tmp_path, small):
    pixels = small.pixels.copy()
    training, public, private = (np.flatnonzero(small.splits == split) for split in range(3))
    pixels[training[0]] = pixels[public[0]]
    pixels[training[3]] = pixels[private[1]]
    pixels[training[5]] = pixels[training[6]]  # a double inside training stays
    pixels[public[2]] = pixels[private[2]]  # and so does one between the two others
    source = Dataset(pixels, small.labels, small.splits, small.rows)
    data = load(write_csv(tmp_path / "fer.csv", source))
    assert data.dropped == 2
    assert set(small.rows) - set(data.rows) == {training[0], training[3]}
    np.testing.assert_array_equal(data.pixels, pixels[data.rows])
    np.testing.assert_array_equal(data.labels, small.labels[data.rows])
    assert data.describe()["duplicates_left_out"] == 2
    assert data.describe()["training"] == len(training) - 2


# Broken input


def _refused(path: Path, *fragments: str) -> None:
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


PIXELS = " ".join(str(i % 256) for i in range(2304))


@pytest.mark.parametrize(
    ("row", "fragments"),
    [
        (f"3,{PIXELS}", ["2 columns", "3"]),
        (f"3,{PIXELS},Training,more", ["4 columns", "3"]),
        (f"3,{PIXELS.replace(' ', ',', 1)},Training", ["4 columns"]),
        (f"9,{PIXELS},Training", ["emotion '9'"]),
        (f"7,{PIXELS},Training", ["emotion '7'"]),
        (f"-1,{PIXELS},Training", ["emotion '-1'"]),
        (f"3.0,{PIXELS},Training", ["emotion '3.0'"]),
        (f"joy!,{PIXELS},Training", ["emotion 'joy!'"]),
        (f",{PIXELS},Training", ["emotion ''"]),
        (f"²,{PIXELS},Training", ["emotion '²'"]),
        (f"{'1' * 5000},{PIXELS},Training", ["emotion"]),
        (f"3,{PIXELS} 1,Training", ["2305 pixels"]),
        (f"3,{PIXELS[2:]},Training", ["2303 pixels"]),
        ("3,,Training", ["0 pixels"]),
        (f"3,256{PIXELS[1:]},Training", ["0..255"]),
        (f"3,-1{PIXELS[1:]},Training", ["0..255"]),
        (f"3,99999999999{PIXELS[1:]},Training", ["pixel"]),
        (f"3,x{PIXELS[1:]},Training", ["whole number"]),
        (f"3,0.5{PIXELS[1:]},Training", ["whole number"]),
        (f"3,nan{PIXELS[1:]},Training", ["whole number"]),
        (f"3,{PIXELS},Holdout", ["usage 'Holdout'"]),
        (f"3,{PIXELS},", ["usage ''"]),
        ("\0", ["1 columns"]),
    ],
    ids=["missing column", "column too many", "comma for blank", "label 9", "label 7", "label -1",
         "label 3.0", "label word", "label empty", "label superscript", "label endless", "2305",
         "2303", "no pixel", "256", "-1", "overflow", "word", "fraction", "nan", "usage",
         "usage empty", "nul"],
)  # fmt: skip
def test_broken_csv_row_is_named_by_file_and_line(tmp_path, row, fragments):
    path = tmp_path / "fer.csv"
    path.write_text(f"emotion,pixels,Usage\n1,{PIXELS},Training\n\n{row}\n1,{PIXELS},Training\n")
    _refused(path, "line 4:", *fragments)


def test_broken_row_inside_an_archive_is_named_too(tmp_path, small):
    text = csv_text(small).replace("Training", "Holdout", 1)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if row.endswith("Holdout"))
    path = write_zip(tmp_path / "fer.zip", {"fer2013/fer2013.csv": text.encode()})
    _refused(path, "fer2013/fer2013.csv", f"line {line}:", "Holdout")


@pytest.mark.parametrize(
    "text",
    ["", "\n", f"3,{PIXELS},Training\n", f"label,pixels,Usage\n3,{PIXELS},Training\n",
     "emotion,Usage\n3,Training\n", "emotion;pixels;Usage\n"],
    ids=["empty", "blank", "no header", "no emotion", "no pixels", "semicolons"],
)  # fmt: skip
def test_csv_without_its_header_is_refused(tmp_path, text):
    path = tmp_path / "fer.csv"
    path.write_text(text)
    _refused(path, "emotion, pixels, Usage")


def test_csv_with_a_header_alone_is_refused(tmp_path):
    path = tmp_path / "fer.csv"
    path.write_text("emotion,pixels,Usage\n")
    _refused(path, "no pictures")


def test_binary_under_the_name_of_a_csv_is_refused(tmp_path):
    path = tmp_path / "fer.csv"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    _refused(path)


def test_missing_path_is_refused(tmp_path):
    _refused(tmp_path / "none.csv", "no such file")


@pytest.mark.parametrize("name", ["fer.txt", "fer", "fer.csv.bak", "model.keras"])
def test_other_files_are_refused(tmp_path, name):
    (tmp_path / name).write_text("emotion,pixels,Usage\n")
    _refused(tmp_path / name, "no data set")


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9])
def test_truncated_tar_is_refused(tmp_path, small, share):
    content = gzip.compress(tar_bytes(small))
    path = tmp_path / "fer2013.tar.gz"
    path.write_bytes(content[: int(share * len(content))])
    _refused(path)


def test_tar_with_a_broken_stream_is_refused(tmp_path, small):
    content = tar_bytes(small)
    stream = zlib.compressobj(wbits=-15)
    whole = stream.compress(content[: len(content) // 2]) + stream.flush(zlib.Z_FULL_FLUSH)
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    path = tmp_path / "fer2013.tar.gz"
    path.write_bytes(header + whole + b"\x07" + bytes(5000))  # 7: a block of no known type
    _refused(path)


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(20000)])
def test_what_is_no_tar_is_refused(tmp_path, content):
    path = tmp_path / "fer2013.tar.gz"
    path.write_bytes(content)
    _refused(path)


def test_tar_without_a_csv_is_refused(tmp_path, small):
    path = tmp_path / "fer2013.tar"
    path.write_bytes(tar_bytes(small).replace(b"fer2013.csv", b"fer2013.cs_"))
    _refused(path)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_truncated_zip_is_refused(tmp_path, small, share):
    path = write_zip(tmp_path / "fer.zip", kaggle_files(small))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    _refused(path)


def _broken_stream(content: bytearray, info: zipfile.ZipInfo, central: int) -> None:
    content[info.header_offset + 30 + len(info.filename)] = 0x07  # a block of no known type


def _encrypted(content: bytearray, info: zipfile.ZipInfo, central: int) -> None:
    content[info.header_offset + 6] |= 1
    content[central + 8] |= 1


def _unknown_method(content: bytearray, info: zipfile.ZipInfo, central: int) -> None:
    content[info.header_offset + 8] = content[central + 10] = 99


def _wrong_sum(content: bytearray, info: zipfile.ZipInfo, central: int) -> None:
    content[central + 16] ^= 0xFF


@pytest.mark.parametrize("damage", [_broken_stream, _encrypted, _unknown_method, _wrong_sum])
@pytest.mark.parametrize("inside", ["pictures", "csv"])
def test_damaged_zip_is_refused(tmp_path, small, damage, inside):
    files = kaggle_files(small) if inside == "pictures" else {"a.csv": csv_text(small).encode()}
    path = write_zip(tmp_path / "fer.zip", files)
    with zipfile.ZipFile(path) as archive:
        info, central = archive.infolist()[0], archive.start_dir
    content = bytearray(path.read_bytes())
    damage(content, info, central)
    path.write_bytes(content)
    _refused(path)


def test_zip_and_folder_without_pictures_are_refused(tmp_path):
    _refused(write_zip(tmp_path / "a.zip", {"readme.txt": b"x"}), "neither pictures nor")
    _refused(write_zip(tmp_path / "b.zip", {}), "neither pictures nor")
    _refused(write_folder(tmp_path / "c", {"readme.txt": b"x"}), "no pictures")


def _huge_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + tail

    size = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize("pack", [write_folder, write_zip])
@pytest.mark.parametrize(
    "content",
    [b"I am no picture", b"", png(np.eye(48, dtype=np.uint8) * 255)[:-30], _huge_png()],
    ids=["text", "empty", "cut short", "too many pixels"],
)
def test_broken_picture_is_named(tmp_path, small, pack, content):
    files = {**kaggle_files(small), "train/happy/Training_0x.jpg": content}
    _refused(pack(tmp_path / "fer.zip", files), "train/happy/Training_0x.jpg")


def test_picture_in_a_folder_that_is_no_emotion_is_named(tmp_path, small):
    files = {**kaggle_files(small), "train/contempt/Training_0x.jpg": png(small.pixels[0])}
    _refused(write_folder(tmp_path / "fer", files), "train/contempt/Training_0x.jpg", "happy")
    top = {"Training_1.png": png(small.pixels[0])}
    _refused(write_folder(tmp_path / "flat", top), "Training_1.png")


def test_set_without_a_split_that_is_asked_for_is_refused(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(f"emotion,pixels,Usage\n3,{PIXELS},PublicTest\n")
    with pytest.raises(DataError, match="training split"):
        load(path).split("training")


# Whatever is done to a valid file, it loads or is refused

_VALID = "emotion,pixels,Usage\n" + "".join(
    f"{label},{PIXELS},{usage}\n"
    for label, usage in ((0, "Training"), (3, "PublicTest"), (6, "PrivateTest"), (3, "Training"))
)
_PLACES = sorted(
    {m.start() for m in re.finditer(r"[,\n]", _VALID)}
    | {m.end() for m in re.finditer(r"[,\n]", _VALID)}
)
_PIECES = st.one_of(
    st.sampled_from([*'",\n\r\0 ²٣-é\ufeff', "9" * 5000, "1_0", "0x1"]),
    st.text(max_size=6),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
_CHANGES = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(_PLACES), st.integers(0, len(_VALID))),
        st.sampled_from([0, 0, 1, 1, 7, 4000]),
        st.one_of(_PIECES, st.binary(max_size=4)),
    ),
    max_size=4,
)


def _loaded_or_refused(path: Path) -> Dataset | None:
    """The set, or None where it was refused as it should be; anything else fails the test."""
    try:
        return load(path)
    except DataError:
        _refused(path)
        return None


@settings(max_examples=150, deadline=None)
@given(changes=_CHANGES)
@example(changes=[(_VALID.index("\n") + 1, 1, "²".encode())])
@example(changes=[(_VALID.index("\n") + 1, 1, b"9" * 5000)])
def test_changed_csv_loads_or_is_refused(tmp_path_factory, changes):
    content = _VALID.encode()
    for place, removed, added in changes:
        content = content[:place] + added + content[place + removed :]
    path = tmp_path_factory.getbasetemp() / "changed.csv"
    path.write_bytes(content)
    data = _loaded_or_refused(path)
    if data is not None:
        assert data.pixels.shape == (len(data), 48, 48)
        assert data.pixels.dtype == np.uint8
        assert set(data.labels) <= set(range(7))
        assert set(data.splits) <= {TRAINING, PUBLIC, PRIVATE}
    if not changes:
        assert len(load(path)) == 2  # all four pictures are one, which the other splits hold


@settings(max_examples=30, deadline=None)
@given(place=st.floats(0, 0.9999), value=st.integers(0, 255), cut=st.booleans())
@pytest.mark.parametrize("kind", ["tar.gz", "zip", "png"])
def test_changed_archive_loads_or_is_refused(tmp_path_factory, kind, place, value, cut):
    base = tmp_path_factory.getbasetemp()
    data = toy_dataset(training=1, public=1, private=1)
    if kind == "tar.gz":
        path = base / "changed.tar.gz"
        content = bytearray(gzip.compress(tar_bytes(data.take(data.labels < 2)), mtime=0))
    elif kind == "zip":
        path = write_zip(base / "changed.zip", {"fer.csv": csv_text(data).encode()})
        content = bytearray(path.read_bytes())
    else:
        path = base / "changed-folder"
        files = {"train/happy/a.png": png(data.pixels[0]), "test/sad/b.png": png(data.pixels[1])}
        write_folder(path, files)
        content = bytearray(files["train/happy/a.png"])
    spot = int(place * len(content))
    if cut:
        del content[spot:]
    else:
        content[spot] = value
    (path / "train/happy/a.png" if path.is_dir() else path).write_bytes(content)
    data = _loaded_or_refused(path)
    assert data is None or len(data) >= 1
