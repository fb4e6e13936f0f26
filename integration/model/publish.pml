/*
 * The source loop: lease, fence, mark, position in the transaction, confirmation, gap.
 *
 * Two instances of one connector bring three changes of two upstream transactions to Kafka. Every step between two
 * labels is one step of the code, and names its function; between any two steps the other instance, the brokers or the
 * server may go on, which is also what a paused process that wakes up late is. Each guard of the code is a macro:
 * -DNO_<GUARD> leaves it out, and an assertion must break. README.md says what is left out of the model.
 *
 * Troubles (crashes, lost answers, lost leases, timed-out transactions, renewed producer ids) may happen at every step, as
 * often as they like, until quiet is set, which may be at any moment. That no number bounds them is possible because nothing
 * in the state only grows: an epoch is known by who holds it, the offsets topic by what can still be read in it.
 *
 * The upstream log, and the positions in it (framework/publish/position.go, connectors/postgres/stream.go):
 *
 *   position        0      1      2      3      4      5
 *   version        (0,0)  (1,1)  (1,2)  (2,0)  (2,1)  (3,0)     (LSN, index within the transaction)
 *   changes before  0      1      2      2      3      3
 *
 * Changes 0 and 1 share commit LSN 1; their transaction ends at LSN 2, which is also the commit LSN of change 2.
 */

#define LAST 5

#define COVERED(p) ((p) < 3 -> (p) : ((p) == 3 -> 2 : 3))
#define HIGH(p)    ((p) == 0 -> 0 : ((p) < 3 -> 1 : ((p) < 5 -> 2 : 3)))
#define WHOLE(p)   ((p) == 0 || (p) == 3 || (p) == 5)   /* Version.Low == 0 */
#define BELOW(lsn) ((lsn) < 2 -> 0 : (lsn))             /* changes that commit below lsn */

/* The names of the assertions, which the counterexample prints. */
#define I1_CONFIRMED_ONLY_WHEN_DURABLE(lsn) (BELOW(lsn) <= durable && (lsn) <= HIGH(durablePosition))
#define I3_NOTHING_LOST_NOTHING_TWICE(c)    ((c) == durable)
#define I3_RESUMES_AT_THE_LAST_POSITION(p)  ((p) == durablePosition)
#define I4_A_GAP_IS_REAL                    (moved)
#define I4_DELIVERED                        (durable == 3 && durablePosition == LAST && slot == 3 || moved && stopped)
#define I8_OUTCOME_LOOKED_FOR(known)        (known)
#define LEASE_NOBODY_IS_FENCED_IN_QUIET     (!calm[i] || !byCalm[K])

bool quiet = false;        /* no trouble any more */

/* PostgreSQL. */
byte lease = 0;            /* 1 + the instance that holds the advisory lock; 0: free */
byte slot = 0;             /* confirmed_flush_lsn */
bool moved = false;        /* somebody else has read from the slot, to its end */

/* Kafka's transaction coordinator. NO_FENCE alone gives each instance a transactional id of its own. */
#ifdef NO_FENCE
#define IDS 2
#define K i
#else
#define IDS 1
#define K 0
#endif
mtype = { EMPTY, ONGOING, COMMITTING, ABORTING };
mtype txn[IDS] = EMPTY;
byte who[IDS] = 0;         /* 1 + the instance that has the current epoch; 0: none that still uses it */
bool byCalm[IDS] = false;  /* whoever obtained that epoch began its tenure in quiet */
bool late[IDS] = false;    /* a commit request of that epoch is on its way, and nobody waits for it */
byte first[IDS] = 0;       /* changes first..first+pending-1 are in the open transaction, */
byte pending[IDS] = 0;
byte position[IDS] = 0;    /* a position, if it is not 0, */
byte mark[IDS] = 0;        /* and the mark of the tenure of instance mark-1, if it is not 0 */

/* The topic of offsets: the last committed position, and what is before the mark of each instance's tenure. */
byte base = 0;
byte atMark[2] = 0;
mtype = { NONE, WRITTEN, READABLE };
mtype marked[2] = NONE;
#ifdef NO_FENCE
bool waits[2] = false;     /* the other id's transaction was open when the mark was written, and is not decided yet */
#endif
#ifdef NO_READ_COMMITTED
byte lastAny = 0;          /* the last position, committed or not */
#endif
#ifdef NO_MARK
bool been[6] = false;      /* positions that were the last committed one */
#endif

/* What only the assertions read. */
byte durable = 0;          /* changes in transactions that are decided to commit, in order */
byte durablePosition = 0;  /* the greatest position in one */
bool calm[2] = false;      /* the instance's tenure began in quiet */
bool stopped = false;      /* an instance has ended because of a gap */

/* decide: the coordinator takes a commit. From here on the transaction commits, whatever happens to whom. */
inline decide(k) {
  txn[k] = COMMITTING;
  late[k] = false;
  if
  :: pending[k] > 0 ->
    assert(I3_NOTHING_LOST_NOTHING_TWICE(first[k]));
    durable = first[k] + pending[k]
  :: else
  fi;
  if :: position[k] > durablePosition -> durablePosition = position[k] :: else fi
}

/* advance: the position is the last committed one that a reader sees. */
inline advance(p) {
  base = p;
#ifdef NO_MARK
  been[p] = true
#endif
}

/* complete: markers are in the partitions, and the coordinator is ready for the next transaction. */
inline complete(k) {
  if
  :: txn[k] == COMMITTING && position[k] != 0 -> advance(position[k])
  :: else
  fi;
#ifdef NO_FENCE
  if
  :: waits[1 - k] ->
    waits[1 - k] = false;
    if :: txn[k] == COMMITTING -> atMark[1 - k] = position[k] :: else fi
  :: else
  fi;
#endif
  if
  :: mark[k] != 0 -> marked[mark[k] - 1] = (txn[k] == COMMITTING -> READABLE : NONE)
  :: else
  fi;
  txn[k] = EMPTY; first[k] = 0; pending[k] = 0; position[k] = 0; mark[k] = 0
}

/* bump: the epoch is nobody's any more, and what is open in it is aborted. */
inline bump(k, isCalm) {
  if :: txn[k] == ONGOING -> txn[k] = ABORTING :: else fi;
  who[k] = 0; late[k] = false; byCalm[k] = isCalm
}

/* What brokers and server do by themselves, and requests that arrive when nobody waits for them. */
active proctype World() {
  byte k = 0;
end:
  do
  :: atomic { txn[k] == COMMITTING || txn[k] == ABORTING -> complete(k) }
  :: atomic { late[k] -> decide(k) }
  :: atomic { late[k] -> late[k] = false }
  /* The transaction times out, or the InitProducerId of a process that is long gone arrives. */
  :: atomic { !quiet && (txn[k] == ONGOING || txn[k] == EMPTY && who[k] != 0) -> bump(k, false) }
  /* The server loses the session that holds the lease, and its holder does not know it yet. */
  :: atomic { !quiet && lease != 0 -> lease = 0 }
#ifdef MOVED
  :: atomic { !quiet && !moved && lease == 0 -> moved = true; slot = 3 }
#endif
  :: atomic { !quiet -> quiet = true }
#ifdef NO_FENCE
  :: atomic { k = 1 - k }
#endif
  od
}

/* Every step may be the process's last, or end in an error: both end the tenure, and nothing of it is used again. */
#define CRASH  :: !quiet -> goto ended
#define FENCED :: who[K] != i + 1 -> assert(LEASE_NOBODY_IS_FENCED_IN_QUIET); goto ended
#define HOLDS  (who[K] == i + 1)

proctype Instance(byte i) {
  byte cur = 0;           /* the position behind what was given to the committer */
  bool some = false;      /* it is not the last one committed */
  bool renewed = false;   /* the producer's epoch is not that of the transaction's begin: committer.open.epoch */
#ifdef NO_LOOK_ASSUMES_ABORTED
  byte written = 0;
#endif
#ifdef RESUMED_BY_LSN
  bool fresh = false;
#endif

/* Publisher.Run: a tenure ended. source.Close and the end of the process both give the lease back. */
ended:
  atomic {
    if :: lease == i + 1 -> lease = 0 :: else fi;
    if :: HOLDS -> who[K] = 0 :: else fi;
    if :: mark[K] == i + 1 -> mark[K] = 0 :: else fi;
    marked[i] = NONE; atMark[i] = 0; calm[i] = false;
    cur = 0; some = false; renewed = false
#ifdef NO_FENCE
    ; waits[i] = false
#endif
#ifdef NO_LOOK_ASSUMES_ABORTED
    ; written = 0
#endif
#ifdef RESUMED_BY_LSN
    ; fresh = false
#endif
  }

/* pgSource.Lease, from tenure.takeOver. Waiting for it is a good end. */
end_standby:
#ifdef NO_LEASE
  atomic { calm[i] = quiet };
#else
  atomic { lease == 0 -> lease = i + 1; calm[i] = quiet };
#endif

#ifdef NO_ID_FIRST
  /* The position is read before the producer id is obtained, carefully otherwise. */
  atomic { position[K] == 0 -> cur = base };
#endif

/* tenure.takeOver: epoch() sends InitProducerId, which aborts what is open and is told to come again until that is done. */
fence:
  if
  :: atomic { txn[K] == ONGOING -> bump(K, calm[i]) } -> goto fence
  :: atomic { txn[K] == EMPTY -> bump(K, calm[i]); who[K] = i + 1 }
  CRASH
  fi;

/* tenure.writeMark: begin, the mark's record, commit. */
  if
  FENCED
  :: atomic { HOLDS && txn[K] == EMPTY ->
    txn[K] = ONGOING; mark[K] = i + 1; marked[i] = WRITTEN;
#ifdef NO_READ_COMMITTED
    atMark[i] = lastAny
#else
    atMark[i] = base
#endif
#ifdef NO_FENCE
    ; waits[i] = (position[1 - i] != 0)
#endif
    }
  CRASH
  fi;
  if
  FENCED
  :: atomic { HOLDS && txn[K] == ONGOING -> decide(K) }
  :: atomic { !quiet && HOLDS && txn[K] == ONGOING -> late[K] = true } -> goto ended
  CRASH
  fi;

/* Options.lastPosition reads up to the mark. What a reader sees may be behind what is acknowledged: a new leader, or a
 * follower that it reads from, learns the high watermark later. */
#ifndef NO_ID_FIRST
#ifdef NO_MARK
  atomic { cur = base };
  do
  :: atomic { cur > 0 && !(been[cur] && cur < base) -> cur-- }  /* up to an end that the reader happens to see */
  :: atomic { cur > 0 && cur <= base -> cur-- }
  :: cur == 0 || been[cur] -> break
  od;
#else
  if
#ifdef NO_READ_COMMITTED
  :: atomic { marked[i] != NONE -> cur = atMark[i]; marked[i] = NONE; atMark[i] = 0 }
#else
#ifdef NO_FENCE
  :: atomic { marked[i] == READABLE && !waits[i] -> cur = atMark[i]; marked[i] = NONE; atMark[i] = 0 }
#else
  :: atomic { marked[i] == READABLE -> cur = atMark[i]; marked[i] = NONE; atMark[i] = 0 }
#endif
#endif
  CRASH
  fi;
#endif
#endif

/* pgSource.Run, reading.resume: slot.checkPosition, and where the slot is told to go on from (startReplication). */
  if
#ifndef NO_GAP_CHECK
  :: slot > HIGH(cur) -> goto gap
#endif
  :: atomic {
#ifdef NO_GAP_CHECK
    true ->
    /* What the slot has given up is not sent. */
    if :: BELOW(slot) > COVERED(cur) -> cur = (slot == 3 -> 5 : 3) :: else fi;
#else
    slot <= HIGH(cur) ->
#endif
    assert(!HOLDS || I3_RESUMES_AT_THE_LAST_POSITION(cur));
    assert(I1_CONFIRMED_ONLY_WHEN_DURABLE(HIGH(cur)));
    if :: HIGH(cur) > slot -> slot = HIGH(cur) :: else fi;
#ifdef RESUMED_BY_LSN
    fresh = true
#endif
    }
  CRASH
  fi;

/* committer.run, committer.transaction; begin notes the epoch of the transaction. */
transaction:
  atomic { renewed = false;
#ifdef NO_LOOK_ASSUMES_ABORTED
    written = cur
#endif
  }
  if
  :: cur == LAST && !some -> goto idle
  :: else
  fi;

/* committer.fill: one change after the other, cut anywhere; reading.next passes over what the position covers. */
fill:
  if
  FENCED
  :: atomic { HOLDS && (cur == 0 || cur == 1 || cur == 3) && (txn[K] == EMPTY || txn[K] == ONGOING) ->
    if :: pending[K] == 0 -> first[K] = COVERED(cur) :: else fi;
#ifdef RESUMED_BY_LSN
    /* Resumed by the LSN alone: the transaction that the position is in is sent again, or counts as done. */
#ifdef NO_INDEX
    if :: cur == 1 && fresh -> first[K] = 0; cur = 0 :: else fi;
#else
    if :: cur == 1 && fresh -> first[K] = 2; cur = 3 :: else fi;
#endif
    fresh = false;
#endif
    pending[K]++; txn[K] = ONGOING; cur++; some = true }
    goto fill
  :: atomic { cur == 2 || cur == 4 -> cur++; some = true } -> goto fill   /* reading.advance: an upstream transaction's end */
  :: some                                                                 /* committer.left: it is time to cut */
  /* The client renews the producer id by itself; the coordinator refuses that to one who was fenced (KIP-360). */
  :: atomic { !quiet && HOLDS && txn[K] == ONGOING -> txn[K] = ABORTING } -> goto renew
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
  :: atomic { HOLDS && (txn[K] == EMPTY || txn[K] == ONGOING) -> txn[K] = ONGOING; position[K] = cur;
#ifdef NO_READ_COMMITTED
    lastAny = cur
#endif
    }
  CRASH
  fi;
#endif

/* committer.end: the epoch must still be that of begin; then EndTxn. */
#ifndef NO_EPOCH_CHECK
  if
  :: renewed -> goto ended                                     /* errEpochChanged */
  :: else
  fi;
#endif
  if
  FENCED
  :: atomic { HOLDS && txn[K] == ONGOING -> decide(K) }
  /* The answer is lost: the commit was taken, or is on its way still, or never arrives. */
  :: atomic { !quiet && HOLDS && txn[K] == ONGOING -> decide(K) } -> goto ambiguous
  :: atomic { !quiet && HOLDS && txn[K] == ONGOING -> late[K] = true } -> goto ambiguous
  CRASH
  fi;

committed:
#ifdef NO_POSITION_INSIDE
  /* The position is a record of its own, after the transaction. */
  if
  :: atomic { advance(cur); if :: cur > durablePosition -> durablePosition = cur :: else fi }
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
  atomic { some = false };
  goto transaction;

/* An error ends the tenure: the outcome is read from the offsets topic by the next, never assumed. */
ambiguous:
#ifdef NO_LOOK_ASSUMES_ABORTED
  /* Begin again with what was to be committed, under a new epoch. */
  if
  FENCED
  :: atomic { HOLDS && txn[K] == ONGOING -> txn[K] = ABORTING; late[K] = false }
  :: atomic { HOLDS && txn[K] == EMPTY }
  fi;
  atomic { assert(I8_OUTCOME_LOOKED_FOR(durablePosition < cur)); cur = written; some = false };
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
  FENCED
  :: atomic { HOLDS && txn[K] == EMPTY -> renewed = true } -> goto fill
  CRASH
  fi;

/* tenure.proveGap: who is fenced has found a successor's work, and goes back to the lease. */
gap:
#ifndef NO_GAP_PROOF
  if
  FENCED
  :: HOLDS
  CRASH
  fi;
#endif
  assert(I4_A_GAP_IS_REAL);
  atomic { stopped = true; if :: lease == i + 1 -> lease = 0 :: else fi };
end_stopped:
  false;

idle:
end_idle:
  if
  CRASH
  fi
}

/* When nothing can happen any more everything is delivered. */
init {
  atomic { run Instance(0); run Instance(1) };
  timeout -> assert(I4_DELIVERED)
}
