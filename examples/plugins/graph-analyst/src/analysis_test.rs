use super::*;

fn node(id: &str, deps: &[&str]) -> Node {
    Node { id: id.into(), metadata: deps.iter().map(|d| ("dep".to_string(), d.to_string())).collect() }
}

fn has(report: &Report, text: &str) -> bool {
    report.findings.iter().chain(&report.recommendations).any(|line| line.contains(text))
}

#[test]
fn an_empty_graph_is_said_to_be_empty() {
    let report = analyze(&[]);
    assert_eq!(report.findings, ["the graph is empty"]);
    assert_eq!(report.confidence, 0.0);
}

#[test]
fn duplicate_versions_are_found_and_who_uses_them() {
    let app = node("app 1.0.0", &["bits 1.0.0", "bits 2.0.0"]);
    let report = analyze(&[app, node("bits 1.0.0", &[]), node("bits 2.0.0", &[])]);
    assert!(has(&report, "duplicate: bits: 1.0.0 (used by 1 node), 2.0.0 (used by 1 node)"));
    assert!(has(&report, "cycles: none"));
    assert_eq!(report.confidence, 1.0);
}

#[test]
fn cycles_are_shown_as_ways() {
    let report = analyze(&[node("a", &["b"]), node("b", &["c"]), node("c", &["a"]), node("self", &["self"])]);
    assert!(has(&report, "cycle: a -> b -> c -> a"), "{:?}", report.findings);
    assert!(has(&report, "cycle: self -> self"), "{:?}", report.findings);
    assert!(has(&report, "cycles: 2 groups of nodes"));
}

#[test]
fn hubs_count_direct_and_all_dependents() {
    let report = analyze(&[node("top", &["mid"]), node("mid", &["base"]), node("side", &["base"]), node("base", &[])]);
    assert!(has(&report, "hub by direct dependents: base, 2 nodes"));
    assert!(has(&report, "hub by all dependents: base, 3 nodes (100 % of the others)"));
    assert!(has(&report, "longest chain: 3 nodes, top -> mid -> base"));
}

#[test]
fn what_does_not_fit_is_reported_and_lowers_confidence() {
    let report = analyze(&[node("a", &["ghost", "b", "b"]), node("b", &[]), node("b", &["a"])]);
    assert!(has(&report, "odd: 'a' points to 'ghost', which is not there"));
    assert!(has(&report, "odd: more than one node is called 'b'"));
    assert!(report.confidence < 1.0 && report.confidence > 0.0);
}

#[test]
fn order_does_not_matter() {
    let one = |i: usize| node(&format!("n{i} 1.0.0"), &[&format!("n{} 1.0.0", i * 7 % 200)]);
    let forward: Vec<Node> = (0..200).map(one).collect();
    let backward: Vec<Node> = (0..200).rev().map(one).collect();
    assert_eq!(analyze(&forward).findings, analyze(&backward).findings);
}

#[test]
fn a_chain_of_20_000_needs_no_recursion() {
    let chain: Vec<Node> = (0..20_000).map(|i| node(&format!("{i}"), &[&format!("{}", i + 1)])).collect();
    assert!(has(&analyze(&chain), "longest chain: 20000 nodes"));
}

#[test]
fn transitive_counts_agree_with_a_search_from_each_node() {
    let nodes: Vec<Node> = (0..150usize)
        .map(|i| [i, (i * i + 3) % 150, (i * 5 + 1) % 150].map(|number| format!("{number:03}")))
        .map(|[id, a, b]| node(&id, &[&a, &b]))
        .collect();
    let graph = Graph::new(&nodes);
    let fast = transitive_dependents(&graph, &components(&graph));
    let mut slow = vec![0; graph.len()];
    for start in 0..graph.len() {
        let mut seen = vec![false; graph.len()];
        let mut stack = vec![start];
        while let Some(at) = stack.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                stack.extend(&graph.targets[at]);
            }
        }
        (0..graph.len()).filter(|&to| seen[to] && to != start).for_each(|to| slow[to] += 1);
    }
    assert_eq!(fast, slow);
}
