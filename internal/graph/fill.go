package graph

// Added returns the edges of n that before, an earlier plan for values of the
// same model, has not: their associations are in no value yet. before may be nil.
func (n *Node) Added(before *Node) map[*Edge]bool {
	added := map[*Edge]bool{}
	n.addAdded(before, added)
	return added
}

func (n *Node) addAdded(before *Node, added map[*Edge]bool) {
	for _, e := range n.Edges {
		var was *Edge
		if before != nil {
			for _, b := range before.Edges {
				if b.association() == e.association() {
					was = b
				}
			}
		}
		if was == nil {
			added[e] = true // read anew, with all that is below it
			continue
		}
		e.Target.addAdded(was.Target, added)
	}
}

// fill makes the walk visit every owner of the edges, and whatever leads there.
func (f *facts) fill(n *Node, edges map[*Edge]bool) (found bool) {
	for _, e := range n.Edges {
		if edges[e] || f.fill(e.Target, edges) {
			f.depends[e] = true
			found = true
		}
	}
	return found
}
