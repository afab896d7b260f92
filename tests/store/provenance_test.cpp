#include "store/provenance.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

using namespace valuelens;

namespace {

Provenance some() {
    return {"Toy 1M", "aaaabbbbccccdddd", "resid_post", "0-based block output", "0.1.0"};
}

} // namespace

TEST(ProvenanceMetadata, RoundTrip) {
    const Provenance back = provenance_from_metadata(provenance_metadata(some()), "f");
    EXPECT_EQ(back.model_name, "Toy 1M");
    EXPECT_EQ(back.model_hash, "aaaabbbbccccdddd");
    EXPECT_EQ(back.location, "resid_post");
    EXPECT_EQ(back.layer_convention, "0-based block output");
    EXPECT_EQ(back.tool_version, "0.1.0");
}

TEST(ProvenanceMetadata, AMissingEntryIsNamed) {
    auto metadata = provenance_metadata(some());
    metadata.erase("model_hash");
    expect_error(ErrorKind::bad_input, {"dir/f", "'model_hash'"}, [&] { provenance_from_metadata(metadata, "dir/f"); });
}

TEST(ProvenanceMetadata, AnotherModelIsNamedBesideTheFiles) {
    EXPECT_NO_THROW(require_same_model(some(), "aaaabbbbccccdddd", "Renamed", "f"));
    expect_error(ErrorKind::bad_input, {"dir/f", "Toy 1M", "aaaabbbbcccc", "Other 2B", "eeee"},
                 [&] { require_same_model(some(), "eeeeffff", "Other 2B", "dir/f"); });
}

TEST(ProvenanceMetadata, AnotherLocationOrLayerCount) {
    EXPECT_NO_THROW(require_same_location(some(), "resid_post", "f"));
    expect_error(ErrorKind::bad_input, {"dir/f", "'resid_post'", "'mlp_post'"},
                 [&] { require_same_location(some(), "mlp_post", "dir/f"); });
    Provenance shifted = some();
    shifted.layer_convention = "1-based";
    expect_error(ErrorKind::bad_input, {"1-based"}, [&] { require_same_location(shifted, "resid_post", "f"); });
}
