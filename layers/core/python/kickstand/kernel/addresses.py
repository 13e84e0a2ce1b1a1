"""Addresses for mails, as mail services take them."""


def deliverable(address: str) -> str | None:
    """An address in ASCII, with domains of other scripts in Punycode (RFC 5891); ``None`` where no mail can be sent to.

    That is what has other characters before its @, as Amazon SES has no SMTPUTF8, or a domain that cannot be.
    """
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return None
    import idna  # the standard library's codec knows the older standard, and would write to somebody else's domain

    try:
        return f"{local}@{idna.encode(domain).decode()}"
    except idna.IDNAError:
        return None
