"""Partners, their tokens and secrets in a deployed stack: ``python -m tools.partners --stack NAME issue 1234``."""

import argparse
import os
from collections.abc import Sequence
from getpass import getpass

import boto3


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    options = _parser().parse_args(arguments)
    os.environ["CLIENTS_TABLE"] = _output(options.stack, "ClientsTable")
    from kickstand.clients import service as clients  # reads the name of the table when imported

    match options.command:
        case "register":
            client = clients.register_client(
                options.name, options.email, options.network, charges_riders=options.charges_riders
            )
            print(f"client {client.id}")
            print(f"token {clients.issue_token(client.id)}")
        case "issue":
            print(f"token {clients.issue_token(options.client)}")
        case "revoke":
            clients.revoke_token(options.client, getpass("token to revoke: "))
            print("revoked")
        case "issue-secret":
            client_id, secret = clients.issue_credential(options.client)
            print(f"client_id {client_id}")
            print(f"client_secret {secret}")
        case "revoke-secret":
            clients.revoke_credential(options.client, getpass("secret to revoke: "))
            print("revoked")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.partners", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the deployed stack")
    commands = parser.add_subparsers(dest="command", required=True)
    register = commands.add_parser("register", help="take in a partner and issue its first token")
    register.add_argument("name")
    register.add_argument("email")
    register.add_argument(
        "--network", type=int, action="append", required=True, help="a network it may see; repeatable"
    )
    register.add_argument(
        "--charges-riders", action="store_true", help="its riders pay the operator, by wallet and card; it bills nobody"
    )
    for name, text in (
        ("issue", "issue a further token"),
        ("revoke", "make a token worthless"),
        ("issue-secret", "issue a further secret, to be traded for access tokens"),
        ("revoke-secret", "make a secret worthless, with all access tokens that were given for it"),
    ):
        commands.add_parser(name, help=text).add_argument("client", type=int, help="the partner's id")
    return parser


def _output(stack: str, name: str) -> str:
    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return next(str(output["OutputValue"]) for output in described["Outputs"] if output["OutputKey"] == name)


if __name__ == "__main__":
    main()
