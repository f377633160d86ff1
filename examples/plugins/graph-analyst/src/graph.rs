//! A graph by numbers: nodes in order of their ids, edges without repetition.

use std::collections::HashMap;

#[derive(Debug)]
pub struct Node {
    pub id: String,
    pub metadata: Vec<(String, String)>,
}

/// The metadata key of an edge.
const EDGE: &str = "dep";

#[derive(Default)]
pub struct Graph {
    /// Sorted, each once.
    pub ids: Vec<String>,
    /// To what a node points, sorted, each once.
    pub targets: Vec<Vec<usize>>,
    /// Ids that more than one node had; their edges are merged.
    pub repeated: Vec<String>,
    /// Edges to nodes that are not there: (from, the unknown id).
    pub dangling: Vec<(usize, String)>,
}

impl Graph {
    pub fn new(nodes: &[Node]) -> Self {
        let mut ids: Vec<String> = nodes.iter().map(|node| node.id.clone()).collect();
        ids.sort();
        let mut repeated: Vec<String> = ids.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0].clone()).collect();
        repeated.dedup();
        ids.dedup();
        let number: HashMap<&str, usize> = ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
        let mut targets = vec![Vec::new(); ids.len()];
        let mut dangling = Vec::new();
        for node in nodes {
            let from = number[node.id.as_str()];
            for (_, target) in node.metadata.iter().filter(|(key, _)| key == EDGE) {
                match number.get(target.as_str()) {
                    Some(&to) => targets[from].push(to),
                    None => dangling.push((from, target.clone())),
                }
            }
        }
        for list in &mut targets {
            list.sort_unstable();
            list.dedup();
        }
        dangling.sort();
        dangling.dedup();
        Self { ids, targets, repeated, dangling }
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn edges(&self) -> usize {
        self.targets.iter().map(Vec::len).sum()
    }

    /// How many nodes point to each, itself not counted.
    pub fn direct_dependents(&self) -> Vec<usize> {
        let mut count = vec![0; self.len()];
        for (from, targets) in self.targets.iter().enumerate() {
            for &to in targets.iter().filter(|&&to| to != from) {
                count[to] += 1;
            }
        }
        count
    }
}
