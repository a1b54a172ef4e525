"""What must hold, whatever happens: each invariant by its name, and what it means.

*S*: looked at while things happen.  *Q*: looked at where faults have ended and all comes to rest.
"""

from __future__ import annotations

from typing import Final

I1 = "I1 minimum"
I2 = "I2 no early done"
I3 = "I3 monotone"
I3_TERMINAL = "I3 terminal"
I3_ATTEMPT = "I3 attempts are apart"
I3_ACCEPTED = "I3 accepted is kept"
I4 = "I4 idempotence"
I5 = "I5 conservation"
I5_AGAIN = "I5 sent again when due"
I5_DEATHS = "I5 two deaths are enough"
I5_TRIES = "I5 three errors are enough"
I6_CHUNK = "I6 sent before deleted"
I6_RESULT = "I6 merged before deleted"
I6_MAP = "I6 kept before told"
I7_CAP = "I7 cap"
I7_ON = "I7 cap of those on"
I7_SLOT = "I7 one to a slot"
I7_EPOCH = "I7 one launch an epoch"
I8_STOPPED = "I8 stopped before terminated"
I8_AGED = "I8 aged before terminated"
I8_ALIVE = "I8 the living are not stopped"
I8_LEASE = "I8 one lease"
I8_FENCE = "I8 fences only grow"
I9_MOVES = "I9 leases move"
I9_END = "I9 leases end"
I10_READ = "I10 own jobs only"
I10_CACHE = "I10 cached is true"
I11 = "I11 all ends"
I11_TRIED = "I11 nothing is forgotten"
I12 = "I12 work is served"
I13 = "I13 no leak"
I13_AGED = "I13 aged go"
I13_MAPS = "I13 no map is left"
I14 = "I14 waiting clients are told"
I15 = "I15 true reason"
I16 = "I16 cost"
I16_HOME = "I16 nobody goes too soon"
I16_WANT = "I16 no more than wanted"
I17 = "I17 what clients see"
I17_TWIN = "I17 cache is only a cache"
I18 = "I18 no extra launch"
I19 = "I19 one machine fails no job"
I20 = "I20 unfit stays off"
I21 = "I21 holders report"
I22 = "I22 true maps"
T1 = "T1 rows before tasks"
T2 = "T2 tasks only end"
T3 = "T3 settled before ended"
T4 = "T4 tasks are conserved"
CALM = "no program raises"

INVARIANTS: Final[dict[str, str]] = {
    I1: "S: a done job's answer is the least of all grid points, or its series, bit for bit",
    I2: "S: done means that every chunk is merged",
    I3: "S: the set of merged chunks never shrinks, the best never rises",
    I3_TERMINAL: "S: an attempt that has ended never changes; only a renewable job begins anew",
    I3_ATTEMPT: "S: a write for one attempt of a job never changes another",
    I3_ACCEPTED: "S: a job that a client was told of can be read",
    I4: "S: any write made again, at once or long after, leaves the ledger as it is",
    I5: "S: each missing chunk of a sent job is a message, or its result is",
    I5_AGAIN: "S: missing chunks are sent again only when that is due, and a few times only",
    I5_DEATHS: "S: no chunk dies again after the death that ends its job",
    I5_TRIES: "Q: no chunk is tried on and on that raises the same error on every machine",
    I6_CHUNK: "S: a wanted chunk's message is deleted only when its result is in the queue",
    I6_RESULT: "S: a wanted result's message is deleted only when it is merged",
    I6_MAP: "S: a chunk of a job that keeps its map is merged only when its map is stored",
    I7_CAP: "S: never more instances than the cap, but for stopped ones that EC2 does not end",
    I7_ON: "S: never more instances on than the cap, whatever EC2 refuses",
    I7_SLOT: "S: never two instances in a slot",
    I7_EPOCH: "S: never two instances of one launch",
    I8_STOPPED: "S: only stopped instances are terminated, or silent ones that EC2 does not stop",
    I8_AGED: "S: only instances long stopped, given up, of no use or old release are terminated",
    I8_ALIVE: "S: no instance is stopped that was heard within its grace, but a proved liar's",
    I8_LEASE: "S: no autoscaler takes a lease that has not ended",
    I8_FENCE: "S: no slot is written under an older fence than it carries",
    I9_MOVES: "S: a chunk's lease is extended only if the chunk moved since the last time",
    I9_END: "S: no chunk is held longer than its hard limit and one lease",
    I10_READ: "S: nobody is shown another client's job",
    I10_CACHE: "S: the cache calls no attempt ended that the ledger does not",
    I11: "Q: every job has ended, no message is left, everybody has their answer",
    I11_TRIED: "Q: an attempt that its deadline ended had its missing chunks sent again before",
    I12: "Q: never longer than B without a live worker while a chunk is visible",
    I13: "Q: every instance is off in bounded time after the last chunk",
    I13_AGED: "Q: stopped instances are terminated once they are too old",
    I13_MAPS: "S: a worker that ends leaves no chunk's map behind",
    I14: "Q: whoever waits is told within seconds of the end; at rest nobody waits",
    I15: "S: a failed job's reason is true when it is written",
    I16: "Q: an instance is billed for its work, its minute, and a linger after the last chunk",
    I16_HOME: "S: a worker goes home only after its empty polls, all of them answered",
    I16_WANT: "Q: no instance is started beyond what the queue is worth",
    I17: "S: a client is shown the truth or a true failure, whatever the cache says",
    I17_TWIN: "Q: with a cache that never keeps anything, every client gets the same answer",
    I18: "Q: an autoscaler killed at any of its calls launches nothing more than its twin",
    I19: "S: no job fails by what one machine reports that does not pass its self-test",
    I20: "S: an instance whose worker said that it is unfit is never started again",
    I21: "S: a report changes a job only if its sender received the chunk",
    I22: "S: of a kept map a client reads what was computed, or is told that it cannot be read",
    T1: "S: a task is done, or failed, only when a row that says so is stored",
    T2: "S: no task leaves a set, no write is lost, or is of another attempt or size of blocks",
    T3: "S: a job ends by its tasks only when all have ended, each counted once, done first",
    T4: "S: a task that has not ended is in a chunk, its row in a result, until it is settled",
    CALM: "S: no program lets an unexpected error escape",
}
