//! Strongly connected components (Tarjan's algorithm with a stack of its own, so that depth costs no recursion), and
//! what follows from them.

use crate::graph::Graph;

pub struct Components {
    /// The component of each node. Numbers are in reverse topological order: edges lead to lower numbers.
    pub of: Vec<usize>,
    /// Nodes of each component, sorted.
    pub members: Vec<Vec<usize>>,
}

const UNSEEN: usize = usize::MAX;

pub fn components(graph: &Graph) -> Components {
    let n = graph.len();
    let mut order = vec![UNSEEN; n];
    let mut low = vec![0; n];
    let mut open = Vec::new();
    let mut of = vec![UNSEEN; n];
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut seen = 0;
    for root in 0..n {
        if order[root] != UNSEEN {
            continue;
        }
        // Each entry: a node, and how many of its edges were followed.
        let mut path = vec![(root, 0)];
        while let Some(&mut (node, ref mut followed)) = path.last_mut() {
            if *followed == 0 && order[node] == UNSEEN {
                order[node] = seen;
                low[node] = seen;
                seen += 1;
                open.push(node);
            }
            if let Some(&next) = graph.targets[node].get(*followed) {
                *followed += 1;
                if order[next] == UNSEEN {
                    path.push((next, 0));
                } else if of[next] == UNSEEN {
                    low[node] = low[node].min(order[next]);
                }
                continue;
            }
            path.pop();
            if let Some(&(parent, _)) = path.last() {
                low[parent] = low[parent].min(low[node]);
            }
            if low[node] == order[node] {
                let start = open.iter().rposition(|&other| other == node).unwrap_or(0);
                let mut group = open.split_off(start);
                group.iter().for_each(|&member| of[member] = members.len());
                group.sort_unstable();
                members.push(group);
            }
        }
    }
    Components { of, members }
}

/// One shortest way from the first node of a component around to itself; None when the component has no cycle.
pub fn cycle(graph: &Graph, components: &Components, component: usize) -> Option<Vec<usize>> {
    let start = components.members[component][0];
    let mut from = std::collections::HashMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &next in graph.targets[node].iter().filter(|&&next| components.of[next] == component) {
            if next == start {
                let mut way = vec![start, node];
                while let Some(&before) = from.get(way.last()?) {
                    way.push(before);
                }
                if node == start {
                    way.pop();
                }
                way.reverse();
                way.push(start);
                way.dedup();
                return Some(if node == start { vec![start, start] } else { way });
            }
            if next != start && !from.contains_key(&next) {
                from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}

/// How many other nodes reach each node. Exact: 64 sources at a time, as bits, over the components.
pub fn transitive_dependents(graph: &Graph, components: &Components) -> Vec<usize> {
    let count = components.members.len();
    let edges: Vec<Vec<usize>> = components
        .members
        .iter()
        .enumerate()
        .map(|(component, members)| {
            let mut to: Vec<usize> =
                members.iter().flat_map(|&m| graph.targets[m].iter().map(|&t| components.of[t])).collect();
            to.sort_unstable();
            to.dedup();
            to.retain(|&other| other != component);
            to
        })
        .collect();
    let mut reached = vec![0; count];
    for block in (0..graph.len()).step_by(64) {
        let mut mask = vec![0u64; count];
        for source in block..(block + 64).min(graph.len()) {
            mask[components.of[source]] |= 1 << (source - block);
        }
        for component in (0..count).rev() {
            let bits = mask[component];
            if bits != 0 {
                reached[component] += bits.count_ones() as usize;
                edges[component].iter().for_each(|&to| mask[to] |= bits);
            }
        }
    }
    components.of.iter().map(|&component| reached[component] - 1).collect()
}

/// The longest chain of components, as one node of each, from the top down.
pub fn longest_chain(graph: &Graph, components: &Components) -> Vec<usize> {
    let mut best: Vec<(usize, Option<usize>)> = Vec::new();
    for (component, members) in components.members.iter().enumerate() {
        let mut longest = (1, None);
        for target in members.iter().flat_map(|&m| &graph.targets[m]).map(|&t| components.of[t]) {
            if target != component && best[target].0 + 1 > longest.0 {
                longest = (best[target].0 + 1, Some(target));
            }
        }
        best.push(longest);
    }
    let mut at = (0..best.len()).max_by_key(|&c| (best[c].0, std::cmp::Reverse(components.members[c][0])));
    let mut chain = Vec::new();
    while let Some(component) = at {
        chain.push(components.members[component][0]);
        at = best[component].1;
    }
    chain
}
