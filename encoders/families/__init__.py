"""The families of encoders that can be served, one small file each."""

from __future__ import annotations

from contract.artifact import Architecture, FamilyName, Pooling
from encoders.families.albert import ALBERT
from encoders.families.bert import BERT
from encoders.families.distilbert import DISTILBERT
from encoders.families.electra import ELECTRA
from encoders.families.family import Family, HeadSpec
from encoders.families.roberta import ROBERTA

FAMILIES: dict[FamilyName, Family] = {family.name: family for family in (BERT, DISTILBERT, ROBERTA, ELECTRA, ALBERT)}

CLASSIFIER = "classifier"


def family_of(architecture: Architecture) -> Family:
    return FAMILIES[architecture.family]


def head_of(family: Family, pooling: Pooling) -> HeadSpec:
    """The names of the head that a classifier of this family and pooling has; its dense layer is none for the plain
    linear one. Raises ValueError when the family has no such head."""
    if pooling in ("first", "mean"):
        return HeadSpec(dense=None, activation="tanh", output=CLASSIFIER)
    if pooling == "pooler" and family.pooler:
        return HeadSpec(dense=family.prefix + family.pooler, activation="tanh", output=CLASSIFIER)
    if pooling == "head" and family.head:
        return family.head
    raise ValueError(f"{family.name} has no {pooling}")
