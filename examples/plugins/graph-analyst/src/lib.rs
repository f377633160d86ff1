//! graph-analyst: says what is true of a dependency graph, given in the call or kept in a file.

wit_bindgen::generate!({
    path: ["../../../wit/parseltongue-analysis", "wit"],
    world: "cordon:graphs/graph-analyst",
    generate_all,
});

mod analysis;
mod cycles;
mod graph;
mod input;

use exports::cordon::graphs::graph_file;
use exports::parseltongue::analysis::parseltongue_plugin::{self, AnalysisResult, GraphNode};
use graph::Node;

struct GraphAnalyst;

impl parseltongue_plugin::Guest for GraphAnalyst {
    fn analyze_graph(nodes: Vec<GraphNode>) -> AnalysisResult {
        analyze(&nodes.into_iter().map(|n| Node { id: n.id, metadata: n.metadata }).collect::<Vec<_>>())
    }
}

impl graph_file::Guest for GraphAnalyst {
    fn analyze_file(path: String) -> Result<AnalysisResult, String> {
        let text = std::fs::read(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
        input::parse(&text).map(|nodes| analyze(&nodes)).map_err(|error| format!("{path}: {error}"))
    }
}

fn analyze(nodes: &[Node]) -> AnalysisResult {
    let report = analysis::analyze(nodes);
    AnalysisResult { findings: report.findings, confidence: report.confidence, recommendations: report.recommendations }
}

export!(GraphAnalyst);
