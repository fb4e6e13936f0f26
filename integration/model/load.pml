/*
 * The sink loop: claim, ledger, ambiguous commits, hand-over, dead letters, group offsets, an operator's reset.
 *
 * Two members of one consumer group bring the three records of a partition into a target whose rows and ledger commit
 * together. Every step between two labels is one step of the code, and names its function; between any two the other
 * member, the group's coordinator, the target or an operator may go on. -DNO_<GUARD> leaves a guard out, and an
 * assertion must break. README.md says what is left out of the model.
 *
 * The target refuses the row of the last record. A batch is one record or the first two.
 */

#ifndef TROUBLES
#define TROUBLES 2  /* crashes, lost answers, partitions taken away, commits lost in a failover: in all */
#endif
#define RECORDS 3
#define REFUSED 2   /* the offset of the record that becomes a dead letter */
#define NONE 255

/* The names of the assertions, which the counterexample prints. */
#define I1_OFFSET_ONLY_WHEN_ROWS_DURABLE(o) ((o) <= durable)
#define I3_EACH_ONCE_IN_ORDER(o)            ((o) == rows)
#define I4_DEAD_LETTER_BEFORE_LEDGER        (letter)
#define I8_LANDED_IS_KNOWN(o)               (rows >= (o))
#define I8_NOT_LANDED_IS_KNOWN(o)           (rows < (o) && late != i + 1 && ownLate != i + 1)
#define ONE_WRITER(m)                       (claimer == (m) + 1)
#define RESET_IS_OBEYED_ONCE                (asked)
#define DELIVERED                           (rows == RECORDS && next == RECORDS && letter && !asked)

/* The target: the ledger's row, the rows, and who holds the lock on the ledger's row (1 + member). */
byte next = NONE;
byte fence = 0;
byte rows = 0;             /* rows of records 0..rows-1 are there, each once and in order */
byte locked = 0;
bool letter = false;       /* the dead letter of the record that is refused is acknowledged */

/* The state before the last batch, for a failover to a server that did not get it; canFail: there is one. */
byte beforeNext = 0, beforeRows = 0;
bool canFail = false;

/* A write whose client does not wait for it any more, and which the target may still run: 1 + member, and the batch. */
byte late = 0, lateFence = 0, lateFrom = 0, lateTo = 0;
byte ownLate = 0;          /* as late, but the ledger's row is locked by it: its check is done */

/* The consumer group: who has the partition (1 + member), and the group's offset; ours: with our mark. */
byte owner = 0;
byte group = NONE;
bool ours = false;

/* What only the assertions read. */
byte claimer = 0;          /* who claimed last, or believes so where the claim is not committed */
byte durable = 0;          /* the greatest number of rows there ever was */
bool asked = false;        /* an operator has asked for a reset, and no batch was written since it was obeyed */
bool reset = false;        /* the operator has had his turn */
byte members = 0;          /* members that have joined: Kafka's tool resets only a group that is empty */
byte troubles = 0;

inline trouble() { (troubles < TROUBLES); troubles++ }

#ifdef NO_FENCE_CHECK
#define FENCE_HOLDS(f) true
#else
#define FENCE_HOLDS(f) (fence == (f))
#endif
#ifdef NO_NEXT_CHECK
#define NEXT_HOLDS(o) true
#else
#define NEXT_HOLDS(o) (next == (o))
#endif
#define FIRST(o) ((o) == NONE -> 0 : (o))

/* pgSink.finish and the commit, as the target sees them. */
inline land(m, o, to) {
  assert(ONE_WRITER(m));
  assert(I3_EACH_ONCE_IN_ORDER(FIRST(o)));
#ifndef NO_LETTER_FIRST
  assert(to <= REFUSED || I4_DEAD_LETTER_BEFORE_LEDGER);
#endif
  beforeNext = next; beforeRows = rows; canFail = true;
  next = to; rows = to; asked = false;
  if :: rows > durable -> durable = rows :: else fi
}

/* What the network, the group's coordinator, the target and the operator do by themselves. */
active proctype World() {
end:
  do
  /* The partition is taken away: a session that timed out, a rebalance. The member learns of it later. */
  :: atomic { owner != 0 && troubles < TROUBLES -> trouble(); owner = 0 }
  /* A write that nobody waits for runs, or was cut off before. */
  :: atomic { late != 0 && locked == 0 ->
    if
    :: next != NONE && FENCE_HOLDS(lateFence) && NEXT_HOLDS(lateFrom) -> land(late - 1, lateFrom, lateTo)
    :: else
    fi;
    late = 0; lateFence = 0; lateFrom = 0; lateTo = 0 }
  :: atomic { late != 0 -> late = 0; lateFence = 0; lateFrom = 0; lateTo = 0 }
  /* One that is behind its check holds the lock until it commits, or does not. */
  :: atomic { ownLate != 0 -> land(ownLate - 1, lateFrom, lateTo);
    ownLate = 0; locked = 0; lateFrom = 0; lateTo = 0 }
  :: atomic { ownLate != 0 -> ownLate = 0; locked = 0; lateFrom = 0; lateTo = 0 }
  /* A failover loses the last batch, rows and ledger together. */
  :: atomic { canFail && locked == 0 && !asked && troubles < TROUBLES -> trouble();
    next = beforeNext; rows = beforeRows; canFail = false }
#ifdef OPERATOR
  /* An operator sets the group's offset back to 1, while no copy runs, or none that the group knows. */
  :: atomic { !reset && owner == 0 && members == 0 && next != NONE && next >= 2 ->
    reset = true; asked = true; group = 1; ours = false }
#endif
  od
}

#define CRASH   :: atomic { troubles < TROUBLES -> trouble(); if :: owner == i + 1 -> owner = 0 :: else fi } -> goto ended
#define NOTICES :: owner != i + 1 -> goto ended     /* session.revoke, session.lose: the partition is gone */

/* try: what the sink is given. The sink's transaction in three steps: rows, the ledger's check, the commit. */
proctype Member(byte i) {
  byte myFence = 0, myNext = 0, to = 0, written = NONE, seenGroup = NONE;
  bool seenOurs = false, joined = false, buried = false;

/* Loader.sessions: a session ended, and nothing of it is used again. A transaction that was open ends with its session. */
ended:
  atomic {
    if :: joined -> joined = false; members-- :: else fi;
    if :: owner == i + 1 -> owner = 0 :: else fi;
    if :: locked == i + 1 && ownLate != i + 1 -> locked = 0 :: else fi;
    myFence = 0; myNext = 0; to = 0; written = NONE; seenGroup = NONE; seenOurs = false; buried = false
  }

/* The group gives the partition to this member, and the offsets to kgo: session.noteOffsets. */
end_waiting:
  atomic { owner == 0 -> owner = i + 1; joined = true; members++
#ifndef WINDOW
    ; seenGroup = group; seenOurs = ours
#endif
  };
#ifdef WINDOW
  atomic { seenGroup = group; seenOurs = ours };
#endif

/* session.assign, session.begin: Ledger.Claim (pgSink.claimOne), committed before the first fetch. It waits for the lock. */
claim:
  if
  :: atomic { locked == 0 ->
#ifdef NO_CLAIM_COMMITTED
    /* The raised fence is only in the transaction of the first batch. */
    if :: next == NONE && fence == 0 -> fence = 1; canFail = false :: else fi;
    myFence = fence;
#else
    fence++; canFail = false; myFence = fence;
#endif
    assert(fence < 250);
    claimer = i + 1;
    myNext = (next == NONE -> 0 : next);
    if :: next == NONE -> next = 0 :: else fi
#ifdef FRESH_GROUP
    ; seenGroup = group; seenOurs = ours
#endif
    }
  NOTICES
  CRASH
  fi;

/* session.reconcile: an offset without our mark is an operator's, and is obeyed: session.obeyReset, Ledger.Reset. */
  if
  :: seenGroup != NONE && !seenOurs && seenGroup != myNext ->
    if
    :: atomic { fence == myFence && locked == 0 ->
      assert(RESET_IS_OBEYED_ONCE);
      next = seenGroup; rows = seenGroup; myNext = seenGroup; canFail = false }
    :: fence != myFence -> goto claim                           /* Fenced: assign tries again */
    NOTICES
    CRASH
    fi
  :: else
  fi;
/* session.adopt: our mark, before the first batch. The coordinator takes it from the owner alone. */
#ifndef NO_ADOPT
  if
  :: seenGroup != NONE && !seenOurs ->
    if
    :: atomic { owner == i + 1 -> group = myNext; ours = true }
    NOTICES
    CRASH
    fi
  :: else
  fi;
#endif
  written = myNext;

/* reader, writer.run: the next batch. */
batch:
  if
  :: myNext < REFUSED -> to = myNext + 1
  :: myNext == 0 -> to = 2
  :: myNext == REFUSED -> to = RECORDS
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
  :: skip
  NOTICES
  CRASH
  /* The answer is lost while the target has not come to the ledger yet; it may, later. */
  :: atomic { troubles < TROUBLES && late == 0 && ownLate == 0 -> trouble();
    late = i + 1; lateFence = myFence; lateFrom = myNext; lateTo = to } -> goto settle
  fi;
/* pgSink.finish: where fence = mine and next_offset = expected; the row is locked from here on. */
  if
  :: atomic { locked == 0 && FENCE_HOLDS(myFence) && NEXT_HOLDS(myNext) -> locked = i + 1 }
  :: locked == 0 && !(FENCE_HOLDS(myFence) && NEXT_HOLDS(myNext)) -> goto ended       /* Fenced */
  CRASH
  fi;
/* The commit: answered; or the answer is lost, and it is applied or not, now or later. */
  if
  :: atomic { locked == i + 1 -> land(i, myNext, to); locked = 0 }
  :: atomic { troubles < TROUBLES && late == 0 && ownLate == 0 -> trouble();
    ownLate = i + 1; lateFrom = myNext; lateTo = to } -> goto settle
  CRASH
  /* A process that ends while its commit is on its way. */
  :: atomic { troubles < TROUBLES && late == 0 && ownLate == 0 -> trouble();
    ownLate = i + 1; lateFrom = myNext; lateTo = to } -> goto ended
  fi;

/* writer.written. */
done:
#ifdef NO_LETTER_FIRST
  if
  :: to > REFUSED -> if :: atomic { letter = true } CRASH fi
  :: else
  fi;
#endif
  atomic { myNext = to; written = to };
/* session.commitOffsets, or not: it only informs. The coordinator takes it from the owner alone. */
  if
  :: atomic { owner == i + 1 -> assert(I1_OFFSET_ONLY_WHEN_ROWS_DURABLE(written)); group = written; ours = true }
  :: skip
  CRASH
  fi;
  goto batch;

/* writer.settle: claim again, which waits for a commit under way and keeps out what is still to come; then compare. */
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
  :: atomic { locked == 0 ->
#ifdef NO_CLAIM_COMMITTED
    myFence = fence;
#else
    fence++; canFail = false; myFence = fence;
#endif
    claimer = i + 1 }
  NOTICES
  CRASH
  fi;
/* compare. */
  if
  :: next == to -> goto done
  :: next == myNext -> goto write
  :: else -> goto ended                                         /* another member's work */
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
  timeout -> assert(DELIVERED)
}
