"""``escalator backups list | show | verify | prune``: what was saved before nodes were changed."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from escalator.backups.address import find_store_url
from escalator.backups.proving import delete_backup, prove_backup, read_manifest
from escalator.backups.render import backups_to_document, describe_backup, describe_size, list_lines
from escalator.backups.retention import KEPT, find_old_backups
from escalator.backups.store import BackupStore
from escalator.ledger.backup_book import BackupBook
from escalator.ledger.ledger import Ledger
from escalator.model.backup import BackupRecord
from escalator.model.clock import utcnow
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.settings.places import BACKUP_VARIABLE

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

DONE, NOT_WHOLE = 0, 1


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``backups``."""
    parser = subparsers.add_parser("backups", help="what was saved of nodes before they were changed")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    shown = actions.add_parser("list", help="the backups of the ledger, the newest first")
    _add_which(shown)
    shown.add_argument("--json", action="store_true", help="print escalator.backups/1 and nothing else")
    one = actions.add_parser("show", help="what is in one: names, sizes and checksums, no content")
    one.add_argument("id", metavar="ID")
    one.add_argument("--json", action="store_true", help="print its manifest, escalator.backup/1")
    verify = actions.add_parser("verify", help="read them back; exit code 1 when one is not whole")
    verify.add_argument("ids", metavar="ID", nargs="*", help="default: all, or those of --cloud and --host")
    _add_which(verify)
    prune = actions.add_parser("prune", help="delete old ones, but none of a run that somebody still needs")
    _add_which(prune)
    prune.add_argument(
        "--keep",
        type=int,
        default=KEPT,
        metavar="N",
        help=f"keep so many of the newest of each node; default: {KEPT}",
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be deleted")


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cloud", help="of this cloud only")
    parser.add_argument("--host", help="of this node only, by its nova-compute service host")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for.

    :return: 0 done, 1 a backup is not whole, or was not deleted.
    :raises EscalatorError: the ledger or the store cannot be used, or there is no such backup.
    """
    book = Ledger().backups()
    match args.action:
        case "list":
            return _list(book, args)
        case "show":
            return _show(_find(book, args.id), as_json=args.json)
        case "verify":
            return _verify(book, args)
        case _:
            return _prune(book, args)


def _open_store() -> BackupStore:
    """Open the store of the environment.

    :raises InvalidRequestError: none is set.
    """
    from escalator.backups.opening import open_store  # noqa: PLC0415  (fsspec: lists need none)

    url = find_store_url()
    if url is None:
        raise InvalidRequestError(
            f"{BACKUP_VARIABLE} is not set", remedy="set it to what the workers have, with its credentials"
        )
    return open_store(url)


def _find(book: BackupBook, backup_id: str) -> BackupRecord:
    record = book.find(backup_id)
    if record is None:
        raise InvalidRequestError(f"there is no backup {backup_id}", remedy="see escalator backups list")
    return record


def _list(book: BackupBook, args: argparse.Namespace) -> int:
    records = book.list_all(args.cloud, args.host)
    if args.json:
        print(json.dumps(backups_to_document(records), indent=1))
        return DONE
    for record in records:
        print(describe_backup(record))
    print(f"{len(records)} backup(s), {describe_size(sum(record.size_bytes for record in records))}")
    return DONE


def _show(record: BackupRecord, *, as_json: bool) -> int:
    manifest = read_manifest(_open_store(), record)
    if as_json:
        print(json.dumps(manifest, indent=1))
        return DONE
    for line in list_lines(record, manifest):
        print(line)
    return DONE


def _verify(book: BackupBook, args: argparse.Namespace) -> int:
    """Read each one; what is wrong with one keeps nobody from the others."""
    records = [_find(book, one) for one in args.ids] or list(book.list_all(args.cloud, args.host))
    store, bad = _open_store(), 0
    for record in records:
        try:
            files = prove_backup(store, record)
        except EscalatorError as exc:
            bad += 1
            print(f"{record.id}: {exc}", file=sys.stderr)
            continue
        book.note_verified(record.id, utcnow())
        print(f"{record.id}: whole, {files} file(s), {describe_size(record.size_bytes)}")
    print(f"{len(records) - bad} of {len(records)} backup(s) whole")
    return NOT_WHOLE if bad else DONE


def _prune(book: BackupBook, args: argparse.Namespace) -> int:
    """Delete old ones; say which, and why others are kept."""
    found = find_old_backups(book.list_all(args.cloud, args.host), args.keep, book.find_need)
    going = [old.record for old in found if not old.needed]
    store = _open_store() if going and not args.dry_run else None
    word, failed = ("would be deleted" if args.dry_run else "deleted"), 0
    for old in found:
        said = f"kept: {old.needed}" if old.needed else word
        if store is not None and not old.needed:
            try:
                delete_backup(store, old.record)
                book.forget(old.record.id)
            except EscalatorError as exc:
                failed, said = failed + 1, f"not deleted: {exc}"
        print(f"{describe_backup(old.record)}: {said}")
    print(f"{len(going) - failed} backup(s) {word}, {len(found) - len(going) + failed} old one(s) kept")
    return NOT_WHOLE if failed else DONE
