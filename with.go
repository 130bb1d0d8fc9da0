package rowsync

import "reflect"

// Paths names associations to take in; see [With].
type Paths []string

// With takes in associations: the names of their fields, joined by dots where
// one leads on from another, such as "Tags" and "Author.FavouriteTags". Every
// association on the way is taken in too.
func With(paths ...string) Paths { return paths }

func (p Paths) watch(w *modelWatcher)        { w.paths = append(w.paths, p...) }
func (p Paths) subscribe(c *subscribeConfig) { c.paths = append(c.paths, p...) }
func (p Paths) live(c *liveConfig)           { p.subscribe(&c.subscribeConfig) }

// SubscribeOption is an option of the functions that subscribe to a value.
type SubscribeOption interface{ subscribe(c *subscribeConfig) }

// LiveOption is an option of [Query] and [Follow].
type LiveOption interface{ live(c *liveConfig) }

// SubscriberOption is an option of [Client.NewSubscriber].
type SubscriberOption interface{ subscriber(c *subscriberConfig) }

// subscribeConfig is what the options of Subscribe, Load and the like say.
type subscribeConfig struct {
	paths []string
	// each is, by struct type, the associations that rows of it are held with
	// wherever they are in the value.
	each map[reflect.Type][]string
	// inserts says that the model's inserts are followed too.
	inserts bool
}

// liveConfig is what the options of Query and Follow say.
type liveConfig struct {
	subscribeConfig
	subscriberConfig
}

// subscriberConfig is what the options of NewSubscriber say.
type subscriberConfig struct {
	origin    string
	authorize authorizeOption // nil: every row may be seen
	scope     *Scope          // nil: that of the pool's role
	// ofLive says that the Subscriber is a Live's own.
	ofLive bool
}

// ModelPaths names associations of one model; see [WithModel].
type ModelPaths struct {
	typ   reflect.Type
	paths []string
}

// WithModel takes in associations of T's model wherever rows of it are in the
// value, those that arrive later among them: WithModel[Tag]("Posts") beside
// With("Tags") is With("Tags.Posts").
func WithModel[T any](paths ...string) ModelPaths { return ModelPaths{reflect.TypeFor[T](), paths} }

func (p ModelPaths) subscribe(c *subscribeConfig) {
	if c.each == nil {
		c.each = map[reflect.Type][]string{}
	}
	c.each[p.typ] = append(c.each[p.typ], p.paths...)
}

func (p ModelPaths) live(c *liveConfig) { p.subscribe(&c.subscribeConfig) }

func subscribeConfigOf(opts []SubscribeOption) subscribeConfig {
	var c subscribeConfig
	for _, o := range opts {
		if o != nil {
			o.subscribe(&c)
		}
	}
	return c
}

func subscriberConfigOf(opts []SubscriberOption) subscriberConfig {
	var c subscriberConfig
	for _, o := range opts {
		if o != nil {
			o.subscriber(&c)
		}
	}
	return c
}

func liveConfigOf(opts []LiveOption) liveConfig {
	var c liveConfig
	for _, o := range opts {
		if o != nil {
			o.live(&c)
		}
	}
	return c
}
