//! The findings, in words. The same graph gives the same words, in whatever order its nodes come.

use std::collections::BTreeMap;

use crate::cycles::{Components, components, cycle, longest_chain, transitive_dependents};
use crate::graph::{Graph, Node};

pub struct Report {
    pub findings: Vec<String>,
    pub confidence: f32,
    pub recommendations: Vec<String>,
}

const TOP: usize = 5;
const LISTED: usize = 20;

pub fn analyze(nodes: &[Node]) -> Report {
    let graph = Graph::new(nodes);
    let confidence = confidence(nodes, &graph);
    let mut report = Report { findings: Vec::new(), confidence, recommendations: Vec::new() };
    if graph.len() == 0 {
        report.findings.push("the graph is empty".into());
        return report;
    }
    let components = components(&graph);
    counts(&graph, &mut report);
    oddities(&graph, &mut report);
    duplicate_versions(&graph, &mut report);
    cycles(&graph, &components, &mut report);
    hubs(&graph, &components, &mut report);
    let chain = longest_chain(&graph, &components);
    if chain.len() > 1 {
        report.findings.push(format!("longest chain: {} nodes, {}", chain.len(), path(&graph, &chain)));
    }
    report
}

/// The share of nodes that have an id of their own, times the share of edges that lead to a node.
fn confidence(nodes: &[Node], graph: &Graph) -> f32 {
    if nodes.is_empty() {
        return 0.0;
    }
    let edges = graph.edges() + graph.dangling.len();
    let resolved = if edges == 0 { 1.0 } else { graph.edges() as f32 / edges as f32 };
    resolved * graph.len() as f32 / nodes.len() as f32
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100 + whole / 2) / whole.max(1)
}

fn path(graph: &Graph, nodes: &[usize]) -> String {
    let names: Vec<&str> = nodes.iter().map(|&node| graph.ids[node].as_str()).collect();
    if names.len() <= LISTED {
        return names.join(" -> ");
    }
    let (head, tail) = (&names[..LISTED / 2], &names[names.len() - LISTED / 2..]);
    format!("{} -> ... -> {}", head.join(" -> "), tail.join(" -> "))
}

/// Pushes a finding for each of the first items, and one that counts the rest.
fn push_some(findings: &mut Vec<String>, kind: &str, lines: Vec<String>) {
    let rest = lines.len().saturating_sub(LISTED);
    findings.extend(lines.into_iter().take(LISTED).map(|line| format!("{kind}: {line}")));
    if rest > 0 {
        findings.push(format!("{kind}: and {rest} more"));
    }
}

fn counts(graph: &Graph, report: &mut Report) {
    let dependents = graph.direct_dependents();
    let roots = dependents.iter().filter(|&&count| count == 0).count();
    let leaves = graph.targets.iter().filter(|targets| targets.is_empty()).count();
    report.findings.push(format!(
        "{}, {}; {} at the top, which nothing depends on; {} at the bottom, which depend on nothing",
        plural(graph.len(), "node", "nodes"),
        plural(graph.edges(), "edge", "edges"),
        roots,
        leaves
    ));
}

fn oddities(graph: &Graph, report: &mut Report) {
    let repeated = |id: &String| format!("more than one node is called '{id}'; their edges were merged");
    push_some(&mut report.findings, "odd", graph.repeated.iter().map(repeated).collect());
    let dangling =
        |(from, to): &(usize, String)| format!("'{}' points to '{to}', which is not there", graph.ids[*from]);
    push_some(&mut report.findings, "odd", graph.dangling.iter().map(dangling).collect());
}

/// "name version" in its two parts; None when the id has no version.
fn split(id: &str) -> Option<(&str, &str)> {
    let mut words = id.splitn(3, ' ');
    let (name, version) = (words.next()?, words.next()?);
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((name, version))
}

fn duplicate_versions(graph: &Graph, report: &mut Report) {
    let direct = graph.direct_dependents();
    let mut by_name: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for (node, id) in graph.ids.iter().enumerate() {
        if let Some((name, version)) = split(id) {
            by_name.entry(name).or_default().push((version, node));
        }
    }
    by_name.retain(|_, versions| versions.len() > 1);
    report.findings.push(match by_name.len() {
        0 => "duplicate versions: none".into(),
        count => format!("duplicate versions: {}", plural(count, "name has", "names have") + " more than one"),
    });
    let lines = by_name.iter().map(|(name, versions)| {
        let uses: Vec<String> = versions
            .iter()
            .map(|&(version, node)| format!("{version} (used by {})", plural(direct[node], "node", "nodes")))
            .collect();
        format!("{name}: {}", uses.join(", "))
    });
    push_some(&mut report.findings, "duplicate", lines.collect());
    for (name, versions) in by_name.iter().take(LISTED) {
        let Some(&(least, node)) = versions.iter().min_by_key(|&&(_, node)| (direct[node], node)) else { continue };
        let users: Vec<&str> = (0..graph.len())
            .filter(|&from| graph.targets[from].contains(&node))
            .take(3)
            .map(|from| graph.ids[from].as_str())
            .collect();
        let who = if users.is_empty() { "nothing uses it".into() } else { format!("its users: {}", users.join(", ")) };
        report.recommendations.push(format!("unify {name}: {least} is the least used ({who})"));
    }
}

fn cycles(graph: &Graph, components: &Components, report: &mut Report) {
    let mut found: Vec<Vec<usize>> =
        (0..components.members.len()).filter_map(|c| cycle(graph, components, c)).collect();
    found.sort();
    if found.is_empty() {
        report.findings.push("cycles: none".into());
        return;
    }
    report.findings.push(format!("cycles: {}", plural(found.len(), "group of nodes", "groups of nodes")));
    push_some(&mut report.findings, "cycle", found.iter().map(|way| path(graph, way)).collect());
    for way in found.iter().take(LISTED) {
        let last = &way[way.len() - 2..];
        report.recommendations.push(format!("break a cycle: remove {}", path(graph, last)));
    }
}

fn hubs(graph: &Graph, components: &Components, report: &mut Report) {
    let others = graph.len() - 1;
    let direct = graph.direct_dependents();
    let all = transitive_dependents(graph, components);
    let top = |count: &[usize]| {
        let mut order: Vec<usize> = (0..graph.len()).filter(|&node| count[node] > 0).collect();
        order.sort_by_key(|&node| (std::cmp::Reverse(count[node]), node));
        order.truncate(TOP);
        order
    };
    for node in top(&direct) {
        let id = &graph.ids[node];
        report.findings.push(format!("hub by direct dependents: {id}, {}", plural(direct[node], "node", "nodes")));
    }
    let heaviest = top(&all);
    for &node in &heaviest {
        report.findings.push(format!(
            "hub by all dependents: {}, {} ({} % of the others)",
            graph.ids[node],
            plural(all[node], "node", "nodes"),
            percent(all[node], others)
        ));
    }
    if let Some(&node) = heaviest.first() {
        report.recommendations.push(format!(
            "review changes of {} first: they reach {} % of the graph",
            graph.ids[node],
            percent(all[node], others)
        ));
    }
}

#[cfg(test)]
#[path = "analysis_test.rs"]
mod tests;
