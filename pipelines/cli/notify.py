"""`retrainer notify`: trying who would be notified."""

from datetime import UTC, datetime
from pathlib import Path

import click

from .options import STORE


@click.group()
def notify() -> None:
    """Test the channels of `notify` in retrain.yaml."""


@notify.command()
@STORE
@click.option(
    "--channel",
    "names",
    multiple=True,
    help="Name of a channel, such as slack or email[1]; all channels by default.",
)
def test(file: Path, names: tuple[str, ...]) -> None:
    """Send a test message over each channel.

    Secrets are those of this machine's environment.

    Its outcome is `test`, so that programs which react to other outcomes ignore it. Exits with 1 if a channel failed.
    """
    from ...components.lib.errors import RetrainerError
    from ...components.lib.words import did_you_mean, plural
    from ...components.notify_outcome.channels import parse_channel
    from ...components.notify_outcome.notification import TEST, Notification
    from ...components.notify_outcome.send import send_all
    from ..project.config import load_config

    loaded = load_config(file)
    channels = [parse_channel(channel) for channel in loaded.config.notify.channels()]
    if not channels:
        raise RetrainerError(
            f"{loaded.path}: notify has no channel; add one, such as 'notify: {{slack: {{}}}}'."
        )
    known = [channel.name for channel in channels]
    for name in names:
        if name not in known:
            raise RetrainerError(f"there is no channel '{name}'.{did_you_mean(name, known)}")
    notice = Notification(
        pipeline=loaded.config.name,
        # Another each time: mail programs show one message of one id.
        run=f"test-{datetime.now(UTC):%Y%m%d-%H%M%S}",
        outcome=TEST,
        reason="Somebody tried this channel with 'retrainer notify test'. Nothing ran.",
        test=True,
    )
    wanted = [channel for channel in channels if not names or channel.name in names]
    results = send_all(wanted, notice, None)
    for sent in results:
        click.echo(f"{sent.channel}: {sent.words}")
    if failed := [sent for sent in results if not sent.ok]:
        raise RetrainerError(
            f"{plural(len(failed), 'channel')} of {len(results)} failed. This command reads secrets from this "
            "machine's environment and files; a run reads those of the task notify_outcome."
        )
