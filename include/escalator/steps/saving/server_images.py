"""Have images taken of chosen servers before their node is changed, one after another."""

from __future__ import annotations

import logging
from datetime import timedelta

from escalator.backups.keeper import BackupOf
from escalator.model.cloud import Server
from escalator.model.errors import (
    ConflictError,
    EscalatorError,
    InvalidRequestError,
    NotFoundError,
    TransientError,
)
from escalator.model.server_image import ImagePolicy, ImageState, ServerImage
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import Patience
from escalator.steps.running.results import StepResult

log = logging.getLogger("escalator.steps.saving.server_images")

POLL_SECONDS = 5.0
MOST_ORDERS = 2
"""Images of one server that are ordered: Nova deletes one that went wrong."""
LONGEST_NAME = 255
"""Characters of an image's name that Nova takes."""
_STATES = frozenset({"active", "stopped", "paused", "suspended", "resized"})
"""In these, and in the one that a confirmed resize ends in, Nova takes images; it is waited for no other."""


class _NotTakenError(EscalatorError):
    """An image that is not whole in its time, or never will be."""


def save_servers(ctx: StepContext) -> StepResult | None:
    """Have an image taken of every server of the node that the policy of the cloud chooses.

    A second run finds those that were taken or are under way. None is taken once the node's software was
    touched. Two calls for a server, and one every five seconds until its image is whole.

    :return: why the node is given back; None when all images are whole, or none is wanted.
    """
    policy = ctx.campaign.inventory.images
    if policy is None or ctx.facts.upgrade_begun is not None:
        return None
    patience = Patience(ctx=ctx)
    taken = {image.server_id for image in ctx.facts.images}
    on_node = patience.ask(lambda: ctx.cloud.fetch_servers(ctx.host))
    for server in sorted(on_node, key=lambda server: (server.name, server.id)):
        if server.id in taken or not policy.chooses(server.metadata):
            continue
        try:
            image = _take(ctx, patience, policy, server)
        except NotFoundError:
            log.info("%s: %s was deleted, it needs no image", ctx.host, server.name)
            continue
        except (_NotTakenError, ConflictError) as exc:
            message = f"{ctx.host} is given back unchanged: {exc}"
            return StepResult(outcome=Outcome.HELD, code=Code.BACKUP_FAILED, message=message)
        ctx.remember(images=(*ctx.facts.images, image))
        log.info("%s: image %s of %s is whole", ctx.host, image.image_id, server.name)
    return None


def list_images(ctx: StepContext) -> list[dict[str, object]]:
    """List the images that were taken, for the report."""
    return [
        {
            "server_id": image.server_id,
            "server": image.server_name,
            "image_id": image.image_id,
            "snapshots": list(image.snapshots),
            "size_bytes": image.size_bytes,
            "taken": image.taken_at.isoformat(timespec="seconds"),
        }
        for image in ctx.facts.images
    ]


def _take(ctx: StepContext, patience: Patience, policy: ImagePolicy, server: Server) -> ServerImage:
    """Order the image unless there is one, and wait until it is whole.

    :raises NotFoundError: the server is gone.
    """
    tag, deadline = _name_backup(ctx), ctx.now() + timedelta(seconds=policy.limit_seconds)
    orders, why = 0, "it is not whole yet"
    while True:
        patience.ask(ctx.ensure_leased)
        found = patience.ask(lambda: ctx.cloud.server_images.find(server.id, tag=tag))
        if found is not None and found.status == "active":
            return _record(ctx, server, found)
        if found is None or found.is_over:
            if orders == MOST_ORDERS:
                raise _fault(server, "Nova did not make it whole", "see openstack server event list")
            try:
                _order(ctx, server, tag)
                orders += 1
            except (ConflictError, TransientError) as exc:
                why = exc.message
                log.info("%s: the image of %s is ordered again: %s", ctx.host, server.name, why)
        if ctx.now() > deadline + patience.away:
            raise _fault(server, why, "give it more of images.limit_seconds in the inventory settings")
        ctx.campaign.sleep(POLL_SECONDS)


def _order(ctx: StepContext, server: Server, tag: str) -> None:
    """Have Nova take the image.

    :raises ConflictError: the server is busy.
    :raises NotFoundError: it is gone.
    """
    name = f"{server.name[: LONGEST_NAME - 1 - len(tag)]}-{tag}"
    try:
        ctx.cloud.server_images.order(server.id, name=name, tag=tag)
    except InvalidRequestError as exc:  # for good: a policy, a quota
        raise _fault(server, exc.message, exc.remedy or "see why it is refused") from exc
    except ConflictError as exc:
        now = ctx.cloud.fetch_server(server.id)
        if now.task_state is None and now.vm_state not in _STATES:
            remedy = "mend it, or take its metadata off it"
            raise _fault(server, f"it is {now.vm_state}, and Nova takes none", remedy) from exc
        raise


def _name_backup(ctx: StepContext) -> str:
    plan = ctx.plan
    return BackupOf(
        cloud=plan.request.cloud,
        campaign=plan.campaign,
        run_id=plan.run_id,
        bundle=ctx.campaign.bundle.name,
        installation=plan.installation,
        host=ctx.host,
    ).id


def _record(ctx: StepContext, server: Server, found: ImageState) -> ServerImage:
    return ServerImage(
        server_id=server.id,
        server_name=server.name,
        image_id=found.id,
        taken_at=ctx.now(),
        size_bytes=found.size_bytes,
        snapshots=found.snapshots,
    )


def _fault(server: Server, why: str, remedy: str) -> _NotTakenError:
    return _NotTakenError(
        f"the image of {server.name} ({server.id}) was not taken: {why}",
        remedy=f"{remedy}; then clear the node's admit task with downstream",
    )
