"""``escalator pause | resume | stop | skip | hold | approve | abort-moves``: orders of a person."""

from __future__ import annotations

import argparse

from escalator.airflow_client.cli import BAD_INPUT, DONE, FAILED, complain, open_client
from escalator.airflow_client.which_run import add_run_options, find_run
from escalator.model.errors import InvalidRequestError, TransientError
from escalator.model.order import OF_CAMPAIGN, OF_NODE, Verb
from escalator.orders.judging import CONFIRMATIONS

HELP = {
    Verb.PAUSE: "let no node go out until resume; those in flight finish",
    Verb.RESUME: "let nodes go out again",
    Verb.STOP: "let no node of this run go out any more; those in flight finish, the run concludes",
    Verb.SKIP: "leave a node that waits out of this run",
    Verb.HOLD: "hold a node: one that waits until another run, one in flight at its next safe point",
    Verb.APPROVE: "say that the campaign goes on, after one node or after all that wait for it",
    Verb.ABORT_MOVES: "abort the live moves off a node that are under way, and hold it",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs that order something to a command line."""
    for verb in Verb:
        parser = subparsers.add_parser(str(verb), help=HELP[verb], description=HELP[verb])
        if verb in OF_NODE:
            optional = verb in OF_CAMPAIGN
            parser.add_argument(
                "node",
                metavar="NODE",
                nargs="?" if optional else None,
                help="nova-compute service host" + ("; none: the whole campaign" if optional else ""),
            )
        parser.add_argument("--reason", required=True, help="why: it is written down with who and when")
        if verb is Verb.ABORT_MOVES:
            parser.add_argument(
                "--confirm",
                action="append",
                default=[],
                metavar="NODE",
                help="confirm it without being asked: give this twice, with the name of the node",
            )
        add_run_options(parser)
        parser.set_defaults(run=run, order=verb)


def run(args: argparse.Namespace) -> int:
    """Give the order; say what it does, to which nodes, and when.

    :return: 0 given, 1 a person said no, 2 bad input, or it makes no sense now: nothing was written.
    """
    host = getattr(args, "node", None)
    try:
        with open_client(args) as client:
            meant = find_run(client, args)
            confirm = list(getattr(args, "confirm", ()))
            if args.order is Verb.ABORT_MOVES and not confirm:
                confirm = _ask(str(host))
                if confirm != [host] * CONFIRMATIONS:
                    print("nothing was ordered")
                    return FAILED
            answer = client.campaigns.order(
                meant.dag_id, meant.run_id, args.order, reason=args.reason, host=host, confirm=confirm
            )
    except (InvalidRequestError, TransientError) as error:
        complain(error)
        return BAD_INPUT
    what = f"{args.order} {host}" if host else str(args.order)
    when = f"in force since {answer.effective_at}" if answer.effective_at else "not in effect yet"
    print(f"{what}: {answer.effect} ({when}; run {meant.run_id} of {meant.dag_id})", flush=True)
    return DONE


def _ask(host: str) -> list[str]:
    """Ask a person at the terminal, twice."""
    print(
        f"The live moves off {host} that are under way are aborted; servers that did not arrive stay on it."
    )
    print(f"{host} is held then: a person has to look at it.")
    try:
        return [input(f"Type the name of the node{again}: ").strip() for again in ("", " once more")]
    except EOFError as exc:
        raise InvalidRequestError(
            "nobody is there to be asked", remedy=f"add --confirm {host} --confirm {host}"
        ) from exc
