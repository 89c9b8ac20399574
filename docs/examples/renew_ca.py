"""A new CA below the root: `renew_ca.py device|service OFFLINE-FOLDER [STATE-FOLDER]`, while provisioning is stopped."""

import sys
import time
from pathlib import Path

from provisioning.authority import AuthorityError, open_authority
from provisioning.settings import STATE_FOLDER

if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("device", "service"):
    sys.exit(__doc__)
state = Path(sys.argv[3]) if len(sys.argv) == 4 else STATE_FOLDER
try:
    open_authority(state, offline=Path(sys.argv[2])).renew_ca(
        "device" if sys.argv[1] == "device" else "service", time.time_ns() // 1_000_000
    )
except (AuthorityError, OSError) as error:
    sys.exit(str(error))
