use crate::scene::Scene;

testkit::store_conformance!(Scene);
