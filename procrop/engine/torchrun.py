"""torchrun with the exit code of the processes it ran: ``python -m procrop.engine.torchrun`` takes its arguments.

torchrun itself always exits with 1 and a stack trace of its own, even when the processes have said what is wrong.
"""

import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run processes as torchrun would.

    Returns:
        0, the exit code of the process that failed first, or 128 + number of the signal that stopped them.
    """
    try:
        run(parse_args(argv))
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code
    except SignalException as error:
        return 128 + int(error.sigval)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
