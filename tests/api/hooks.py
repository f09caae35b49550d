"""How the fuzzer writes what it sends."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """To JSON Schema 5.0 is an integer. Where the service takes integers, it wants them written as such, as JavaScript does."""
    case.body = whole(case.body)


def whole(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    return value
