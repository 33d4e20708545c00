"""`countersign ...`: the command line. It imports only what a command needs, when it is run."""

import typer

from bot.commands import (
    audit,
    delegate,
    doctor,
    editions,
    effects,
    evaluate,
    extensions,
    gaps,
    groups,
    knowledge,
    new,
    outbox,
    policy,
    privacy,
    process,
    readers,
    reviews,
    sandbox,
    secrets,
    sources,
)

app = typer.Typer(
    name="countersign",
    help="A Slack bot that answers from policy and acts only when countersigned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(process.demo)
app.command()(process.run)
app.command()(process.worker)
app.command()(doctor.doctor)
app.command()(knowledge.ingest)
app.command()(knowledge.ask_command(readers.reader))
app.command()(evaluate.evaluate)
app.command()(sources.sources)
app.command()(reviews.reviews)
app.command("extensions")(extensions.list_extensions)
app.add_typer(audit.app, name="audit")
app.add_typer(delegate.app, name="delegate")
app.add_typer(editions.app, name="editions")
app.add_typer(effects.app, name="effects")
app.add_typer(gaps.app, name="gaps")
app.add_typer(outbox.app, name="outbox")
app.add_typer(groups.app, name="groups")
app.add_typer(new.app, name="new")
app.add_typer(policy.app, name="policy")
app.add_typer(privacy.app, name="privacy")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(secrets.app, name="secrets")


def main() -> None:
    """Run the command that the arguments name."""
    app()


if __name__ == "__main__":
    main()
