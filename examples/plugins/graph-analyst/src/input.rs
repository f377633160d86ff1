//! A graph as JSON text.

use crate::graph::Node;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    nodes: Vec<Entry>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    id: String,
    #[allow(dead_code)]
    node_type: String,
    metadata: Vec<(String, String)>,
}

pub fn parse(text: &[u8]) -> Result<Vec<Node>, String> {
    let document: Document = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    Ok(document.nodes.into_iter().map(|entry| Node { id: entry.id, metadata: entry.metadata }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_read() {
        let nodes = parse(br#"{"nodes":[{"id":"a 1","node-type":"crate","metadata":[["dep","b 1"]]}]}"#).unwrap();
        assert_eq!(nodes[0].id, "a 1");
        assert_eq!(nodes[0].metadata, [("dep".to_string(), "b 1".to_string())]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert!(parse(b"{").unwrap_err().contains("line 1"));
        assert!(parse(br#"{"nodes":[{"id":1}]}"#).is_err());
        assert!(parse(b"\xff\xfe").is_err());
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
