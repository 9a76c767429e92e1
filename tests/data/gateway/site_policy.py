"""An extension module that lies beside an operator's values file."""


def owner_label(team: str) -> str:
    return f"the {team} team"
