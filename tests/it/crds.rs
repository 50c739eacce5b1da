//! The CRD files are written from the types: a test that finds an old one rewrites it, and fails.

use std::fs;
use std::path::Path;

use singletrack::api::crd;

/// What the release says about the definition.
const METADATA: &str = r#"metadata:
  labels:
    {{- include "singletrack.labels" (list . "crd") | nindent 4 }}
  {{- if or .Values.crds.keep .Values.crds.annotations }}
  annotations:
    {{- $ours := ternary (dict "helm.sh/resource-policy" "keep") dict .Values.crds.keep }}
    {{- include "singletrack.merged" (list .Values.crds.annotations $ours) | nindent 4 }}
  {{- end }}
"#;

#[test]
fn the_crd_file_is_up_to_date() {
    ensure_file("crds/syncrequests.yaml", &yaml());
}

#[test]
fn the_charts_copy_is_up_to_date() {
    let crd = yaml();
    assert!(!crd.contains("{{"), "Helm would read it as a template");
    let crd = crd.replacen("metadata:\n", METADATA, 1);
    let template = format!("{{{{- if .Values.crds.enabled }}}}\n{crd}{{{{- end }}}}\n");
    ensure_file("charts/singletrack/templates/crd.yaml", &template);
}

fn yaml() -> String {
    serde_saphyr::to_string(&crd()).expect("a CRD is valid YAML")
}

/// Checks that the file says `expected`. If not, writes it, and fails so that you commit it.
#[track_caller]
fn ensure_file(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if fs::read_to_string(&file).is_ok_and(|found| found == expected) {
        return;
    }
    fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
    fs::write(&file, expected).expect("the file can be written");
    panic!("{path} was out of date and has been rewritten: commit it");
}
