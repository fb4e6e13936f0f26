package schemas

// Names of the record headers. What the Debezium envelope cannot say travels in them, so that other consumers are not
// disturbed.
const (
	// HeaderVersion holds the 16 bytes of the change's [Version]. Every record of ours has it, tombstones included.
	HeaderVersion = "syncline.version"
	// HeaderTable holds the 8 big-endian bytes of [Table.Version]. Every record of ours has it, but for the tombstone that
	// follows a delete's envelope and for topics that have no rows.
	HeaderTable = "syncline.table"
	// HeaderUnchanged holds a JSON array of the names of the columns of after that were not sent (TOAST).
	HeaderUnchanged = "syncline.unchanged"
	// HeaderBefore is "key" when only the key's columns of before are known. Absent: before is whole, or null.
	HeaderBefore = "syncline.before"
	// HeaderRaw, followed by a column's name, holds the source's text of a value of after that the schema cannot hold.
	HeaderRaw = "syncline.raw."
	// HeaderRawBefore is the same for before.
	HeaderRawBefore = "syncline.rawbefore."
	// HeaderOp holds the one letter of the [Op]. Only records of [ShapeRow] have it, and all of them.
	HeaderOp = "syncline.op"
	// HeaderSource holds where and when the change happened, as a flat JSON object: ts_us (the commit's time, in
	// microseconds since 1970), txId, lsn, lastCommit, snapshot, origin. Only records of [ShapeRow] have it.
	HeaderSource = "syncline.source"
	// HeaderSchema holds the 4 big-endian bytes of the registry's id of the value's schema. Only records of [ShapeRow]
	// without a value have it, whose value would tell.
	HeaderSchema = "syncline.schema"
	// HeaderNewKey and HeaderOldKey hold the other key of a key change as plain JSON, as Debezium writes them.
	HeaderNewKey = "__debezium.newkey"
	HeaderOldKey = "__debezium.oldkey"
)
