#include "registry/cache.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/hash.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;

class CachedFile : public ::testing::Test {
protected:
    CachedFile() : path(folder.path() / "model.gguf") { write_file(path, "text"); }

    /// Makes the file look touched without a change of its text.
    void touch() { fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(5)); }

    TempFolder folder;
    fs::path path;
    const std::string hash = sha256_hex("text");
    const std::string source = sha256_hex("source");
};

TEST_F(CachedFile, IsAbsentWithoutAFileOrASeal) {
    EXPECT_EQ(check_cached(folder.path() / "other.gguf", source, hash), CacheState::absent);
    EXPECT_EQ(check_cached(path, source), CacheState::absent);
}

TEST_F(CachedFile, WithoutASealAKnownHashDecides) {
    EXPECT_EQ(check_cached(path, source, sha256_hex("other")), CacheState::damaged);
    EXPECT_EQ(check_cached(path, source, hash), CacheState::whole);
    EXPECT_EQ(check_cached(path, source), CacheState::whole); // sealed by the check before
}

TEST_F(CachedFile, IsHashedOnlyWhereItsTimeDiffers) {
    // A seal with a wrong hash tells whether the file is read: it is believed as long as size and time agree.
    seal_cached(path, sha256_hex("other"), source);
    EXPECT_EQ(check_cached(path, source), CacheState::whole);
    touch();
    EXPECT_EQ(check_cached(path, source), CacheState::damaged);
}

TEST_F(CachedFile, IsSealedAnewWhereOnlyItsTimeDiffers) {
    seal_cached(path, hash, source);
    const std::string before = read_file(folder.path() / "model.gguf.json");
    touch();
    EXPECT_EQ(check_cached(path, source), CacheState::whole);
    EXPECT_NE(read_file(folder.path() / "model.gguf.json"), before);
}

TEST_F(CachedFile, ASizeThatDiffersIsDamage) {
    seal_cached(path, hash, source);
    fs::resize_file(path, 3);
    EXPECT_EQ(check_cached(path, source, hash), CacheState::damaged);
}

TEST_F(CachedFile, ASealForAnotherSourceIsAsGoodAsNoFile) {
    seal_cached(path, hash, source);
    EXPECT_EQ(check_cached(path, sha256_hex("newer source"), hash), CacheState::absent);
}

TEST_F(CachedFile, AnUnreadableSealProvesNothing) {
    write_file(folder.path() / "model.gguf.json", "{\"bytes\": ");
    EXPECT_EQ(check_cached(path, source), CacheState::absent);
    EXPECT_EQ(check_cached(path, source, hash), CacheState::whole);
}

} // namespace
} // namespace valuelens
