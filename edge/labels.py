"""The names of the emotions, in FER-2013's order."""

FER_LABELS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER-2013's seven classes; the position in this tuple is the class number of its files."""

FERPLUS_LABELS: tuple[str, ...] = (*FER_LABELS, "contempt")
"""FER+'s eight classes: FER-2013's seven and one more."""

_SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "afraid": "fear",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "suprise": "surprise",
    "surprised": "surprise",
}


def class_number(name: str) -> int | None:
    """Class number 0..6 of a label as data sets spell it, or None if it is no emotion's name.

    Takes FER-2013's names and numbers and the usual other spellings ("happiness", "anger").
    """
    word = name.strip().lower()
    if len(word) == 1 and word in "0123456":
        return int(word)
    word = _SYNONYMS.get(word, word)
    return FER_LABELS.index(word) if word in FER_LABELS else None


def own_classes(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels where they are a user's own classes; none where all are emotions of FER+."""
    return () if set(labels) <= set(FERPLUS_LABELS) else labels
