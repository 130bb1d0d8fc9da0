package rowsync

// SyncOption is an option of [Sync].
type SyncOption interface{ sync(c *syncConfig) }

// syncConfig is what the options of Sync say.
type syncConfig struct {
	subscribeConfig
	force, heldOnly bool
}

func syncConfigOf(opts []SyncOption) syncConfig {
	var c syncConfig
	for _, o := range opts {
		if o != nil {
			o.sync(&c)
		}
	}
	return c
}

func (p Paths) sync(c *syncConfig)      { p.subscribe(&c.subscribeConfig) }
func (p ModelPaths) sync(c *syncConfig) { p.subscribe(&c.subscribeConfig) }

type syncOption func(c *syncConfig)

func (o syncOption) sync(c *syncConfig) { o(c) }

// Force makes [Sync] take in an event of the Subscriber's own write too.
func Force() SyncOption { return syncOption(func(c *syncConfig) { c.force = true }) }

// HeldOnly makes [Sync] keep a list or map to the rows it holds: rows that the
// Subscriber follows with all of the model do not come in. Rows of associations
// come and go all the same.
func HeldOnly() SyncOption { return syncOption(func(c *syncConfig) { c.heldOnly = true }) }
