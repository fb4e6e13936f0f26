/*
 * The sink loop: claim, ledger, ambiguous commits, hand-over, dead letter, group offsets, an operator's reset.
 *
 * Two members of one consumer group bring the three records of a partition into a target whose rows and ledger commit
 * together. Every step between two labels is one step of the code, and names its function; between any two the other
 * member, the group's coordinator, the target or an operator may go on. -DNO_<GUARD> leaves a guard out, and an
 * assertion must break. README.md says what is left out of the model.
 *
 * Troubles (crashes, lost answers, partitions taken away, commits lost in a failover) may happen at every step, as often as
 * they like, until quiet is set, which may be at any moment. That no number bounds them is possible because a fence is known
 * by who holds it.
 *
 * The target refuses the row of the last record. A batch is one record or the first two.
 */

#define RECORDS 3
#define REFUSED 2   /* the offset of the record that becomes a dead letter */
#define NONE 7
#define FIRST(o) ((o) == NONE -> 0 : (o))

/* The names of the assertions, which the counterexample prints. */
#define I1_OFFSET_ONLY_WHEN_ROWS_DURABLE(o) ((o) <= durable)
#ifdef NO_ONE_WRITER
#define I2_ONE_WRITER(m)                    true
#else
#define I2_ONE_WRITER(m)                    (holder == (m) + 1)
#endif
#define I3_EACH_ONCE_IN_ORDER(o)            (FIRST(o) == rows)
#define I3_RESET_IS_OBEYED_ONCE             (ask == ASKED)
#define I4_DEAD_LETTER_BEFORE_LEDGER        (letter)
#define I4_DELIVERED                        (rows == RECORDS && next == RECORDS && letter && ask != ASKED)
#define I8_LANDED_IS_KNOWN(o)               (rows >= (o))
#define I8_NOT_LANDED_IS_KNOWN(o)           (rows < (o) && late != i + 1 && ownLate != i + 1)

bool quiet = false;        /* no trouble any more */

/* The target: the ledger's row, the rows, and who holds the lock on the ledger's row (1 + member). */
byte next = NONE;
byte holder = 0;           /* 1 + the member whose claim was the last; 0: none that still uses its fence */
byte rows = 0;             /* rows of records 0..rows-1 are there, each once and in order */
byte locked = 0;
bool letter = false;       /* the dead letter of the record that is refused is acknowledged */

/* The state before the last batch, for a failover to a server that did not get it; canFail: there is one. */
byte beforeNext = 0, beforeRows = 0;
bool canFail = false;

/* A write whose client does not wait for it any more, and which the target may still run: 1 + member, and the batch. */
byte late = 0, lateFrom = 0, lateTo = 0;
bool lateFenced = false;   /* somebody has claimed since */
byte ownLate = 0;          /* as late, but the ledger's row is locked by it: its check is done */

/* The consumer group: who has the partition (1 + member), and the group's offset; ours: with our mark. */
byte owner = 0;
byte group = NONE;
bool ours = false;

/* What only the assertions read. */
byte durable = 0;          /* the greatest number of rows there ever was */
mtype = { QUIET, ASKED, OBEYED };
mtype ask = QUIET;         /* an operator has set the group's offset */

#ifdef NO_FENCE_CHECK
#define FENCE_HOLDS(m) true
#define LATE_HOLDS true
#else
#ifdef NO_CLAIM_COMMITTED
/* The raised fence is only in the transaction of the first batch, so that whoever claimed reads the same one. */
#define FENCE_HOLDS(m) true
#define LATE_HOLDS true
#else
#define FENCE_HOLDS(m) (holder == (m) + 1)
#define LATE_HOLDS (!lateFenced)
#endif
#endif
#ifdef NO_RESET_FENCE
#define RESET_HOLDS(m) true
#else
#define RESET_HOLDS(m) FENCE_HOLDS(m)
#endif
#ifdef NO_NEXT_CHECK
#define NEXT_HOLDS(o) true
#else
#define NEXT_HOLDS(o) (next == (o))
#endif
#ifdef NO_CLAIM_WAITS
#define UNLOCKED true
#else
#define UNLOCKED (locked == 0)
#endif

/* pgSink.finish and the commit, as the target sees them. */
inline land(m, o, to) {
  assert(I2_ONE_WRITER(m));
  assert(I3_EACH_ONCE_IN_ORDER(o));
  assert(to <= REFUSED || I4_DEAD_LETTER_BEFORE_LEDGER);
  beforeNext = next; beforeRows = rows; canFail = (next != NONE);
  next = to; rows = to;
  if :: rows > durable -> durable = rows :: else fi
}

inline forget() { late = 0; ownLate = 0; lateFrom = 0; lateTo = 0; lateFenced = false }
inline cannotFail() { canFail = false; beforeNext = 0; beforeRows = 0 }

/* What the network, the group's coordinator, the target and an operator do by themselves. */
active proctype World() {
end:
  do
  /* The partition is taken away: a session that timed out, a rebalance. The member learns of it later. */
  :: atomic { !quiet && owner != 0 -> owner = 0 }
  /* A write that nobody waits for runs, or was cut off before. */
  :: atomic { late != 0 && locked == 0 ->
    if
    :: LATE_HOLDS && NEXT_HOLDS(lateFrom) -> land(late - 1, lateFrom, lateTo)
    :: else
    fi;
    forget() }
  :: atomic { late != 0 -> forget() }
  /* One that is behind its check holds the lock until it commits, or does not. */
  :: atomic { ownLate != 0 -> land(ownLate - 1, lateFrom, lateTo); locked = 0; forget() }
  :: atomic { ownLate != 0 -> locked = 0; forget() }
  /* A failover loses the last batch, rows and ledger together. */
  :: atomic { !quiet && canFail && locked == 0 -> next = beforeNext; rows = beforeRows; cannotFail() }
  /* An operator sets the group's offset with Kafka's tools, which refuse that while the group has members. A member that was
   * put aside is none, and does not know it yet. */
  :: atomic { !quiet && ask == QUIET && owner == 0 -> ask = ASKED; ours = false;
    if :: group = 0 :: group = 1 :: group = RECORDS - 1 fi }
  :: atomic { !quiet -> quiet = true }
  od
}

#define CRASH   :: !quiet -> goto ended
#define NOTICES :: owner != i + 1 -> goto ended     /* session.revoke, session.lose: the partition is gone */
#define ANSWER_LOST !quiet && late == 0 && ownLate == 0

proctype Member(byte i) {
  byte myNext = NONE, to = 0, seen = NONE;   /* seen: the group's offset if it is without our mark, an operator's */

/* Loader.sessions: a session ended, and nothing of it is used again. A transaction that was open ends with its session. */
ended:
  atomic {
    if :: owner == i + 1 -> owner = 0 :: else fi;
    if :: locked == i + 1 && ownLate != i + 1 -> locked = 0 :: else fi;
    if :: holder == i + 1 && late != i + 1 && ownLate != i + 1 -> holder = 0 :: else fi;
    myNext = NONE; to = 0; seen = NONE
  }

/* The group gives the partition to this member. */
end_waiting:
  atomic { owner == 0 -> owner = i + 1
#ifdef NO_OFFSETS_AFTER_CLAIM
    ; seen = (ours -> NONE : group)
#endif
  };

/* session.assign, session.begin: Ledger.Claim (pgSink.claimOne), committed before the first fetch. It waits for the lock. */
claim:
  if
  :: atomic { UNLOCKED -> holder = i + 1; lateFenced = (late != 0); myNext = next;
#ifndef NO_CLAIM_COMMITTED
    cannotFail()
#endif
    }
  NOTICES
  CRASH
  fi;
/* session.groupOffsets: read now that nobody else writes. */
#ifndef NO_OFFSETS_AFTER_CLAIM
  if
  :: atomic { seen = (ours -> NONE : group) }
  NOTICES
  CRASH
  fi;
#endif
/* session.reconcile: an offset without our mark is an operator's, and is obeyed: session.obeyReset, Ledger.Reset. */
  if
  :: seen == NONE || seen == myNext
  :: atomic { seen != NONE && seen != myNext && UNLOCKED && RESET_HOLDS(i) ->
    assert(I3_RESET_IS_OBEYED_ONCE);
    next = seen; rows = seen; myNext = seen; ask = OBEYED; cannotFail() }
  :: seen != NONE && seen != myNext && !RESET_HOLDS(i) -> goto claim        /* Fenced: assign tries again */
  NOTICES
  CRASH
  fi;
/* session.adopt: our mark, before the first batch. The coordinator takes it from the owner alone. */
#ifndef NO_ADOPT
  if
  :: seen == NONE
  :: atomic { seen != NONE && owner == i + 1 -> group = myNext; ours = true;
    if :: ask == ASKED -> ask = OBEYED :: else fi }
  NOTICES
  CRASH
  fi;
#endif
  atomic { seen = NONE };

/* reader, writer.run: the next batch. */
batch:
  if
  :: atomic { FIRST(myNext) < REFUSED -> to = FIRST(myNext) + 1 }
  :: atomic { FIRST(myNext) == 0 -> to = 2 }
  :: atomic { myNext == REFUSED -> to = RECORDS }
  :: myNext == RECORDS -> goto idle
  NOTICES
  CRASH
  fi;
#ifdef NO_WRITE_BEFORE_OFFSET
  atomic { owner == i + 1 -> assert(I1_OFFSET_ONLY_WHEN_ROWS_DURABLE(to)); group = to; ours = true };
#endif

/* writer.split, writer.bury: a record that is refused is acknowledged as a dead letter before the ledger passes it. */
bury:
#ifndef NO_LETTER_FIRST
  if
  :: to > REFUSED -> if :: atomic { letter = true } CRASH fi
  :: else
  fi;
#endif

/* writer.try, target.write: the rows. The first part of the sink's transaction leaves no trace that others see. */
write:
  if
  :: true
  NOTICES
  CRASH
  /* The answer is lost while the target has not come to the ledger yet; it may, later. */
  :: atomic { ANSWER_LOST ->
    late = i + 1; lateFrom = myNext; lateTo = to; lateFenced = !FENCE_HOLDS(i) } -> goto settle
  /* A process that ends meanwhile. */
  :: atomic { ANSWER_LOST ->
    late = i + 1; lateFrom = myNext; lateTo = to; lateFenced = !FENCE_HOLDS(i) } -> goto ended
  fi;
/* pgSink.finish: where fence = mine and next_offset = expected; the row is locked from here on. */
  if
  :: atomic { locked == 0 && FENCE_HOLDS(i) && NEXT_HOLDS(myNext) -> locked = i + 1 }
  :: locked == 0 && !(FENCE_HOLDS(i) && NEXT_HOLDS(myNext)) -> goto ended       /* Fenced */
  CRASH
  fi;
/* The commit: answered; or the answer is lost, and it is applied or not, now or later. */
  if
  :: atomic { locked == i + 1 -> land(i, myNext, to); locked = 0 }
  :: atomic { ANSWER_LOST -> ownLate = i + 1; lateFrom = myNext; lateTo = to } -> goto settle
  CRASH
  /* A process that ends while its commit is on its way. */
  :: atomic { ANSWER_LOST -> ownLate = i + 1; lateFrom = myNext; lateTo = to } -> goto ended
  fi;

/* writer.written. */
done:
#ifdef NO_LETTER_FIRST
  if
  :: to > REFUSED -> if :: atomic { letter = true } CRASH fi
  :: else
  fi;
#endif
  atomic { myNext = to; to = 0 };
/* session.commitOffsets, or not: it only informs. The coordinator takes it from the owner alone. */
  if
  :: atomic { owner == i + 1 -> assert(I1_OFFSET_ONLY_WHEN_ROWS_DURABLE(myNext)); group = myNext; ours = true }
  :: true
  CRASH
  fi;
  goto batch;

/* writer.settle: claim again, which waits for a commit under way and keeps out what is still to come; compare: if nobody else
 * has claimed since, the ledger's offset says what became of the write. */
settle:
#ifdef NO_SETTLE_ASSUMES_FAILED
  assert(I8_NOT_LANDED_IS_KNOWN(to));
  goto write;
#endif
#ifdef NO_SETTLE_ASSUMES_LANDED
  assert(I8_LANDED_IS_KNOWN(to));
  goto done;
#endif
  if
#ifndef NO_SETTLE_ALONE
  :: atomic { UNLOCKED && !FENCE_HOLDS(i) -> holder = i + 1; lateFenced = (late != 0); cannotFail() } -> goto ended
  :: atomic { UNLOCKED && FENCE_HOLDS(i) -> holder = i + 1; lateFenced = (late != 0);
#else
  :: atomic { UNLOCKED -> holder = i + 1; lateFenced = (late != 0);
#endif
#ifndef NO_CLAIM_COMMITTED
    cannotFail()
#endif
    }
  NOTICES
  CRASH
  fi;
  if
  :: next == to -> goto done
  :: next == myNext -> goto write
  :: next != to && next != myNext -> goto ended
  fi;

idle:
end_idle:
  if
  NOTICES
  :: next != myNext -> goto ended     /* what comes next is fenced */
  CRASH
  fi
}

/* When nothing can happen any more every record is in the target or the dead letters, and the ledger is behind all. */
init {
  atomic { run Member(0); run Member(1) };
  timeout -> assert(I4_DELIVERED)
}
