/*
 * The source loop: lease, fence, mark, position in the transaction, confirmation.
 *
 * Two instances of one connector bring three changes of two upstream transactions to Kafka. Every step between two
 * labels is one step of the code, and names its function; between any two steps the other instance, the brokers or the
 * server may go on, which is also what a paused process that wakes up late is. Each guard of the code is a
 * macro: -DNO_<GUARD> leaves it out, and an assertion must break. README.md says what is left out of the model.
 *
 * The upstream log, and the positions in it (framework/publish/position.go, connectors/postgres/stream.go):
 *
 *   position        0      1      2      3      4      5
 *   version        (0,0)  (1,1)  (1,2)  (2,0)  (2,1)  (3,0)     (LSN, index within the transaction)
 *   changes before  0      1      2      2      3      3
 *
 * Changes 0 and 1 share commit LSN 1; their transaction ends at LSN 2, which is also the commit LSN of change 2.
 */

#ifndef TROUBLES
#define TROUBLES 3  /* crashes, lost answers, lost leases, timed-out transactions, renewed producer ids: in all */
#endif
#define LAST 5
#define LOG 24      /* the offsets topic's length; the model fails if it does not suffice */

#define COVERED(p) ((p) < 3 -> (p) : ((p) == 3 -> 2 : 3))
#define HIGH(p)    ((p) == 0 -> 0 : ((p) < 3 -> 1 : ((p) < 5 -> 2 : 3)))
#define WHOLE(p)   ((p) == 0 || (p) == 3 || (p) == 5)   /* Version.Low == 0 */
#define BELOW(lsn) ((lsn) < 2 -> 0 : (lsn))             /* changes that commit below lsn */

/* The names of the assertions, which the counterexample prints. */
#define I1_CONFIRMED_ONLY_WHEN_DURABLE(lsn) (BELOW(lsn) <= durable && (lsn) <= HIGH(durablePosition))
#define I3_NOTHING_LOST_NOTHING_TWICE(c)    ((c) == durable)
#define I8_OUTCOME_LOOKED_FOR(known)        (known)
#define ONE_WRITER(k)                       (pending[1 - (k)] == 0)
#define LEASE_NOBODY_IS_FENCED_IN_QUIET     (troubles > 0)
#define DELIVERED                           (durable == 3 && durablePosition == LAST && slot == 3)

mtype = { EMPTY, ONGOING, PREPARE_COMMIT, PREPARE_ABORT };   /* Kafka's transaction coordinator */
mtype = { OPEN, COMMITTED, ABORTED };                        /* a record of the offsets topic */

/* PostgreSQL. */
byte lease = 0;            /* 1 + the instance that holds the advisory lock; 0: free */
byte slot = 0;             /* confirmed_flush_lsn */

/* Kafka. Two transactional ids, of which NO_FENCE alone uses the second. */
mtype txn[2] = EMPTY;
byte epoch[2] = 0;
byte first[2] = 0;         /* changes first..first+pending-1 are in the open transaction */
byte pending[2] = 0;
byte late[2] = 0;          /* epoch of a commit request that is on its way with nobody waiting for it; 0: none */
bool marked[2] = false;    /* the marker is in the offsets topic */

/* The topic of offsets: what and of which transactional id. MARK is a tenure's, the rest are positions. */
#define MARK 9
byte  what[LOG];
byte  by[LOG];
mtype state[LOG];
byte  used = 0;
byte  stable = 0;          /* the last stable offset: of the first record that is open, else the end */

/* What only the assertions read. */
byte durable = 0;          /* changes in transactions that are decided to commit, in order */
byte durablePosition = 0;  /* the greatest position in one */
byte troubles = 0;

inline trouble() { (troubles < TROUBLES); troubles++ }

/* decide: the coordinator takes a commit. From here on the transaction commits, whatever happens to whom. */
inline decide(k) {
  txn[k] = PREPARE_COMMIT;
  late[k] = 0;
  if
  :: pending[k] > 0 ->
    assert(I3_NOTHING_LOST_NOTHING_TWICE(first[k]));
    durable = first[k] + pending[k]
  :: else
  fi;
  n = 0;
  do
  :: n < used ->
    if
    :: state[n] == OPEN && by[n] == k && what[n] != MARK && what[n] > durablePosition -> durablePosition = what[n]
    :: else
    fi;
    n++
  :: else -> break
  od;
  n = 0
}

/* The coordinator: markers to the partitions, completion, time-outs, and requests that arrive late. */
active proctype Brokers() {
  byte n = 0, k = 0;
end:
  do
  :: atomic { (txn[0] == PREPARE_COMMIT || txn[0] == PREPARE_ABORT) && !marked[0] -> k = 0 } -> goto marker
  :: atomic { (txn[1] == PREPARE_COMMIT || txn[1] == PREPARE_ABORT) && !marked[1] -> k = 1 } -> goto marker
  :: atomic { marked[0] -> marked[0] = false; txn[0] = EMPTY; pending[0] = 0; first[0] = 0 }
  :: atomic { marked[1] -> marked[1] = false; txn[1] = EMPTY; pending[1] = 0; first[1] = 0 }
  :: atomic { late[0] != 0 && late[0] == epoch[0] && txn[0] == ONGOING -> decide(0) }
  :: atomic { late[1] != 0 && late[1] == epoch[1] && txn[1] == ONGOING -> decide(1) }
  :: atomic { late[0] != 0 -> late[0] = 0 }
  :: atomic { late[1] != 0 -> late[1] = 0 }
  :: atomic { txn[0] == ONGOING && troubles < TROUBLES -> trouble(); epoch[0]++; txn[0] = PREPARE_ABORT }
  od;
marker:
  atomic {
    n = 0;
    do
    :: n < used ->
      if
      :: state[n] == OPEN && by[n] == k -> state[n] = (txn[k] == PREPARE_COMMIT -> COMMITTED : ABORTED)
      :: else
      fi;
      n++
    :: else -> break
    od;
    do
    :: stable < used && state[stable] != OPEN -> stable++
    :: else -> break
    od;
    n = 0; marked[k] = true; k = 0
  }
  goto end
}

/* The server may lose the session that holds the lease, and its holder does not know it yet. */
active proctype Server() {
end:
  do
  :: atomic { lease != 0 && troubles < TROUBLES -> trouble(); lease = 0 }
  od
}

/* Every step may be the process's last, or end in an error: both end the tenure, and nothing of it is used again. */
#define CRASH  :: atomic { troubles < TROUBLES -> trouble() } -> goto ended
#define FENCED :: epoch[k] != mine -> assert(LEASE_NOBODY_IS_FENCED_IN_QUIET); goto ended

inline append(w, s) {
  assert(used < LOG);
  what[used] = w; by[used] = k; state[used] = s;
  if :: s != OPEN && stable == used -> stable++ :: else fi;
  used++
}

/* lastPosition: the last position before a place in the offsets topic; committed alone, but for NO_READ_COMMITTED. */
inline lastPosition(before) {
  from = 0; n = 0;
  do
  :: n < before ->
    if
#ifdef NO_READ_COMMITTED
    :: what[n] != MARK -> from = what[n]
#else
    :: what[n] != MARK && state[n] == COMMITTED -> from = what[n]
#endif
    :: else
    fi;
    n++
  :: else -> break
  od;
  n = 0
}

proctype Instance(byte i) {
  byte k = 0;        /* its transactional id */
  byte mine = 0;     /* the client's producer epoch */
  byte opened = 0;   /* committer.open.epoch */
  byte from = 0, cur = 0, written = 0, n = 0, c = 0;
  byte mark = 0;
  bool aborted = false;
#ifdef NO_FENCE
  k = i;
#endif

/* Publisher.Run: a tenure ended. source.Close and the end of the process both give the lease back. */
ended:
  atomic {
    if :: lease == i + 1 -> lease = 0 :: else fi;
    mine = 0; opened = 0; from = 0; cur = 0; written = 0; c = 0; mark = 0; aborted = false
  }

/* pgSource.Lease, from tenure.takeOver. Waiting for it is a good end. */
end_standby:
#ifdef NO_LEASE
  skip;
#else
  atomic { lease == 0 -> lease = i + 1 };
#endif

#ifdef NO_ID_FIRST
  /* The position is read before the producer id is obtained, carefully otherwise. */
  atomic { stable == used -> lastPosition(used) };
#endif

/* tenure.takeOver: epoch() sends InitProducerId, which aborts what is open and is told to come again until that is done. One
 * tenure aborts one transaction: what begins meanwhile is another instance's tenure, and is waited for. */
fence:
  if
  :: atomic { txn[k] == ONGOING && !aborted -> aborted = true; epoch[k]++; txn[k] = PREPARE_ABORT } -> goto fence
  :: atomic { txn[k] == EMPTY -> epoch[k]++; mine = epoch[k] }
  CRASH
  fi;

/* tenure.writeMark: begin, the mark's record, commit. */
  if
  FENCED
  :: atomic { epoch[k] == mine && txn[k] == EMPTY -> txn[k] = ONGOING; mark = used; append(MARK, OPEN) }
  CRASH
  fi;
  if
  FENCED
  :: atomic { epoch[k] == mine && txn[k] == ONGOING -> decide(k) }
  :: atomic { troubles < TROUBLES -> trouble(); late[k] = mine } -> goto ended
  CRASH
  fi;

/* Options.lastPosition reads up to the mark. What a reader sees may be behind what is acknowledged: a new leader, or a
 * follower that it reads from, learns the high watermark later. */
#ifndef NO_ID_FIRST
#ifdef NO_MARK
  atomic {
    /* Up to an end that the reader happens to see. */
    mark = 0;
    do
    :: mark < stable -> mark++
    :: break
    od;
    lastPosition(mark)
  };
#else
#ifdef NO_READ_COMMITTED
#define READABLE true
#else
#define READABLE (stable > mark)
#endif
  if
  :: atomic { READABLE -> lastPosition(mark) }
  CRASH
  fi;
#endif
#endif

/* pgSource.Run, reading.resume, startReplication: the slot is told from where on. slot.checkPosition: a slot that is
 * ahead of the position would be a gap. */
  atomic {
    assert(slot <= HIGH(from) || epoch[k] != mine);
    cur = from; written = from;
    assert(I1_CONFIRMED_ONLY_WHEN_DURABLE(HIGH(from)));
    if :: HIGH(from) > slot -> slot = HIGH(from) :: else fi
  };

/* committer.run, committer.transaction. */
transaction:
  if
  :: written == LAST -> goto idle
  :: else
  fi;
/* committer.begin notes the epoch of the transaction. */
  atomic { opened = mine };

/* committer.fill: one change after the other, cut anywhere; reading.next passes over what the position covers. */
fill:
  if
  FENCED
  :: atomic { epoch[k] == mine && (cur == 0 || cur == 1 || cur == 3) && (txn[k] == EMPTY || txn[k] == ONGOING) ->
    c = COVERED(cur);
#ifdef NO_INDEX
    /* Resumed by the LSN alone: the transaction that the position is in is sent from its beginning. */
    if :: cur == 1 && cur == from && written == from -> c = 0; cur = 0; from = 0 :: else fi;
#endif
#ifdef NO_INDEX_SKIPS
    /* Resumed by the LSN alone: the transaction that the position is in counts as done. */
    if :: cur == 1 && cur == from && written == from -> c = 2; cur = 3; from = 0 :: else fi;
#endif
    assert(ONE_WRITER(k));
    if :: pending[k] == 0 -> first[k] = c :: else fi;
    pending[k]++; txn[k] = ONGOING; cur++; c = 0 }
    goto fill
  :: atomic { cur == 2 || cur == 4 -> cur++ } -> goto fill     /* reading.advance: the end of an upstream transaction */
  :: cur != written                                             /* committer.left: it is time to cut */
  /* The client renews the producer id by itself; the coordinator refuses that to one who was fenced (KIP-360). */
  :: atomic { troubles < TROUBLES && mine == epoch[k] && txn[k] == ONGOING ->
    trouble(); epoch[k]++; txn[k] = PREPARE_ABORT } -> goto renew
  CRASH
  fi;

#ifdef NO_WHOLE
#define CONFIRMABLE true
#define CONFIRMED (WHOLE(cur) -> HIGH(cur) : HIGH(cur) + 1)
#else
#define CONFIRMABLE WHOLE(cur)
#define CONFIRMED HIGH(cur)
#endif
#ifdef NO_CONFIRM_AFTER_COMMIT
  atomic { assert(I1_CONFIRMED_ONLY_WHEN_DURABLE(CONFIRMED)); slot = CONFIRMED };
#endif

#ifndef NO_POSITION_INSIDE
/* committer.writePosition, committer.flush. */
  if
  FENCED
  :: atomic { epoch[k] == mine && (txn[k] == EMPTY || txn[k] == ONGOING) -> txn[k] = ONGOING; append(cur, OPEN) }
  CRASH
  fi;
#endif

/* committer.end: the epoch must still be that of begin; then EndTxn. */
#ifndef NO_EPOCH_CHECK
  if
  :: mine != opened -> goto ended                              /* errEpochChanged */
  :: else
  fi;
#endif
  if
  FENCED
  :: atomic { epoch[k] == mine && txn[k] == ONGOING -> decide(k) }
  /* The answer is lost: the commit was taken, or is on its way still, or never arrives. */
  :: atomic { troubles < TROUBLES && epoch[k] == mine && txn[k] == ONGOING -> trouble(); decide(k) } -> goto ambiguous
  :: atomic { troubles < TROUBLES && epoch[k] == mine && txn[k] == ONGOING -> trouble(); late[k] = mine } -> goto ambiguous
  CRASH
  fi;

committed:
#ifdef NO_POSITION_INSIDE
  /* The position is a record of its own, after the transaction. */
  if
  :: atomic { append(cur, COMMITTED); durablePosition = (cur > durablePosition -> cur : durablePosition) }
  CRASH
  fi;
#endif

/* committer.commit: confirm, which pgSource.Confirm obeys at ends of whole transactions. */
  if
  :: CONFIRMABLE ->
    atomic {
      assert(I1_CONFIRMED_ONLY_WHEN_DURABLE(CONFIRMED));
      if :: CONFIRMED > slot -> slot = CONFIRMED :: else fi
    }
  :: !(CONFIRMABLE)
  CRASH
  fi;
  atomic { written = cur };
  goto transaction;

/* An error ends the tenure: the outcome is read from the offsets topic by the next, never assumed. */
ambiguous:
#ifdef NO_LOOK_ASSUMES_ABORTED
  /* Begin again with what was to be committed, under a new epoch. */
  if
  FENCED
  :: atomic { epoch[k] == mine && txn[k] == ONGOING -> epoch[k]++; mine = epoch[k]; txn[k] = PREPARE_ABORT }
  :: atomic { epoch[k] == mine && txn[k] == EMPTY }
  fi;
  atomic { assert(I8_OUTCOME_LOOKED_FOR(durablePosition < cur)); cur = written };
  goto transaction;
#endif
#ifdef NO_LOOK_ASSUMES_COMMITTED
  assert(I8_OUTCOME_LOOKED_FOR(durablePosition >= cur));
  goto committed;
#endif
  goto ended;

/* The renewed id is there when the old transaction is through. */
renew:
  if
  :: atomic { txn[k] == EMPTY && epoch[k] == mine + 1 -> mine = epoch[k] } -> goto fill
  :: epoch[k] > mine + 1 -> goto ended
  CRASH
  fi;

idle:
end_idle:
  if
  CRASH
  fi
}

/* When nothing can happen any more everything is delivered, and the offsets topic hides nothing. */
init {
  atomic { run Instance(0); run Instance(1) };
  timeout -> assert(DELIVERED)
}
