//! Builds the crate again once the console was built: its files are part of a release.

fn main() {
    println!("cargo:rerun-if-changed=../../console/dist");
}
