"""Which files the rulebook of a run is made of: the shipped ones and the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from perpkit.errors import DataError, RequestError, nearest
from perpkit.rulebook.asset import Asset
from perpkit.rulebook.reader import (
    HOME,
    KEYS,
    read_collateral,
    read_eligibility,
    read_issuer,
    read_table,
    read_venue,
)
from perpkit.rulebook.venue import Issuer, Venue
from perpkit.shipped import user_folder

FOLDER = "rules"  # in the user's own folder
_FOLDERS = {
    "venue": "venues",
    "issuer": "issuers",
    "collateral": "collateral",
    "eligibility": "eligibility",
}
_Own = Mapping[tuple[str, str], tuple[Path, ...]]  # kind and name -> files, the weakest first


class OwnFile(NamedTuple):
    """A file of the user's own, or recorded with the dataset, that a run used."""

    file: str
    kind: str  # "venue", "issuer", "collateral" or "eligibility"
    name: str
    digest: str


class Rulebook:
    """Venues, issuers and collateral by name, the user's files laid over the shipped ones."""

    def __init__(self, own: _Own, recorded: Iterable[Path] = ()) -> None:
        self._own = own
        self._recorded = frozenset(recorded)

    def names(self, kind: str) -> list[str]:
        """Names of all venues, issuers, collateral, or products whose holders are told of."""
        return sorted({*_shipped(kind), *(name for of, name in self._own if of == kind)})

    def venue(self, name: str) -> Venue:
        """Terms of a venue; a DataError says which venues there are."""
        base = load_venue(name) if name in _shipped("venue") else None
        for path in self._files("venue", name):
            base = _venue(path, name, _digest(path), base)
        return base if base is not None else load_venue(name)

    def issuer(self, name: str) -> Issuer:
        """Terms of an issuer; a DataError says which issuers there are."""
        base = load_issuer(name) if name in _shipped("issuer") else None
        for path in self._files("issuer", name):
            base = _issuer(path, name, _digest(path), base)
        return base if base is not None else load_issuer(name)

    def collateral(self, name: str) -> Asset:
        """Terms of a token as collateral; a DataError says which tokens there are."""
        base = load_collateral(name) if name in _shipped("collateral") else None
        for path in self._files("collateral", name):
            base = _asset(path, name, _digest(path), base)
        return base if base is not None else load_collateral(name)

    def eligibility(self, name: str) -> Asset | None:
        """Who may hold or trade a product, ``"venue.xyz"``; None where nothing is told of it."""
        if name not in self.names("eligibility"):
            return None
        base = load_eligibility(name) if name in _shipped("eligibility") else None
        for path in self._files("eligibility", name):
            base = _product(path, name, _digest(path), base)
        return base

    def own_files(
        self,
        venues: Iterable[str],
        issuers: Iterable[str],
        collateral: Iterable[str] = (),
        products: Iterable[str] = (),
    ) -> list[OwnFile]:
        """The files beside the shipped ones that speak of these, the weakest first.

        One recorded with the dataset is shown with its folder, ``rules/xyz.toml``.
        """
        told = [name for name in products if name in self.names("eligibility")]
        kinds = (
            *(("venue", venues), ("issuer", issuers), ("collateral", collateral)),
            ("eligibility", told),
        )
        return [
            OwnFile(self._shown(path), kind, name, _digest(path))
            for kind, names in kinds
            for name in dict.fromkeys(names)
            for path in self._files(kind, name)
        ]

    def _shown(self, path: Path) -> str:
        return f"{FOLDER}/{path.name}" if path in self._recorded else path.name

    def _files(self, kind: str, name: str) -> tuple[Path, ...]:
        if name not in self.names(kind):
            raise _absent(kind, name, self.names(kind))
        return self._own.get((kind, name), ())


def shipped_rulebook() -> Rulebook:
    """The rulebook as shipped, without any file of a user."""
    return Rulebook({})


def dataset_rules(folder: Path) -> Path:
    """Folder of the terms that were recorded with a dataset."""
    return folder / FOLDER


def open_rulebook(own: Path | None = None, dataset: Path | None = None) -> Rulebook:
    """The rulebook with what was recorded with a dataset, the user's folder, and a run's own file.

    Each is laid over those before it.

    Parameters
    ----------
    own : TOML file, or a folder of them; none: nothing beyond the other files
    dataset : dataset folder, whose ``rules`` may hold terms; none: nothing recorded

    Raises
    ------
    RequestError
        If there is no such file, or two files of a folder speak of the same thing.
    DataError
        If a file is not TOML or names neither a venue, nor an issuer, nor collateral.
    """
    found: dict[tuple[str, str], tuple[Path, ...]] = {}
    recorded = () if dataset is None else _in_folder(dataset_rules(dataset))
    users = _in_folder(user_folder() / FOLDER)
    for files in (recorded, users, () if own is None else _told(own)):
        for subject, path in _subjects(files).items():
            found[subject] = (*found.get(subject, ()), path)
    return Rulebook(found, recorded)


def _told(own: Path) -> tuple[Path, ...]:
    if own.is_dir():
        files = _in_folder(own)
        if not files:
            raise RequestError(f"{own}: holds no TOML file; name the file of a venue or an issuer")
        return files
    if not own.is_file():
        raise RequestError(f"{own}: there is no such file or folder; check rulebook, or --rules")
    return (own,)


def _in_folder(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("*.toml"))) if folder.is_dir() else ()


def _subjects(files: Iterable[Path]) -> dict[tuple[str, str], Path]:
    found: dict[tuple[str, str], Path] = {}
    for path in files:
        table = read_table(path)
        kinds = [kind for kind in KEYS if isinstance(table.get(kind), str)]
        if len(kinds) != 1:
            raise DataError(
                f'{path}: the file must say venue = "NAME" or issuer = "NAME", one of them, or '
                'collateral = "TOKEN", or eligibility = "venue.NAME"'
            )
        subject = (kinds[0], table[kinds[0]])
        if subject in found:
            raise RequestError(
                f"{path}: states {' '.join(subject)}, as {found[subject].name} does; keep one"
            )
        found[subject] = path
    return found


# --------------------------------------------------------------------------- the shipped files


def venue_names() -> list[str]:
    """Names of the shipped venues."""
    return _shipped("venue")


def issuer_names() -> list[str]:
    """Names of the shipped issuers."""
    return _shipped("issuer")


@cache
def load_venue(name: str) -> Venue:
    """Load the shipped terms of a venue; a DataError says which venues there are."""
    if name not in venue_names():
        raise _absent("venue", name, venue_names())
    return read_venue(HOME / "venues" / f"{name}.toml")


@cache
def load_issuer(name: str) -> Issuer:
    """Load the shipped terms of an issuer; a DataError says which issuers there are."""
    if name not in issuer_names():
        raise _absent("issuer", name, issuer_names())
    return read_issuer(HOME / "issuers" / f"{name}.toml")


def collateral_names() -> list[str]:
    """Names of the shipped collateral."""
    return _shipped("collateral")


@cache
def load_collateral(name: str) -> Asset:
    """Load the shipped terms of a token; a DataError says which tokens there are."""
    if name not in collateral_names():
        raise _absent("collateral", name, collateral_names())
    return read_collateral(HOME / "collateral" / f"{name}.toml")


@cache
def load_eligibility(name: str) -> Asset:
    """Load who may hold or trade a product, as shipped; a DataError says which there are."""
    if name not in _shipped("eligibility"):
        raise _absent("eligibility", name, _shipped("eligibility"))
    return read_eligibility(HOME / "eligibility" / f"{name}.toml")


def digest(own: Iterable[OwnFile] = ()) -> str:
    """Digest of the shipped rulebook and of the user's files a run used."""
    seen = hashlib.sha256()
    for path in sorted(HOME.glob("*/*.toml")):
        seen.update(path.read_bytes())
    for file in own:
        seen.update(f"{file.kind} {file.name} {file.digest}".encode())
    return seen.hexdigest()[:16]


def _absent(kind: str, name: str, known: list[str]) -> DataError:
    return DataError(f"there is no {kind} {name} in the rulebook, {nearest(name, known)}")


@cache
def _stems(kind: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (HOME / _FOLDERS[kind]).glob("*.toml")))


def _shipped(kind: str) -> list[str]:
    return list(_stems(kind))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


# The digest is part of what is remembered: an edited file is read again.
@lru_cache(maxsize=64)
def _venue(path: Path, name: str, _: str, base: Venue | None) -> Venue:
    return read_venue(path, base, name)


@lru_cache(maxsize=64)
def _issuer(path: Path, name: str, _: str, base: Issuer | None) -> Issuer:
    return read_issuer(path, base, name)


@lru_cache(maxsize=64)
def _asset(path: Path, name: str, _: str, base: Asset | None) -> Asset:
    return read_collateral(path, base, name)


@lru_cache(maxsize=64)
def _product(path: Path, name: str, _: str, base: Asset | None) -> Asset:
    return read_eligibility(path, base, name)
