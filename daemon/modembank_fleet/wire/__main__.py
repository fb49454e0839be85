"""``python -m modembank_fleet.wire``: the AsyncAPI document."""

import json
import sys

from modembank_fleet.wire.asyncapi import document

sys.stdout.write(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")
