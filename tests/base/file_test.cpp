#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "support/expect_error.h"
#include "support/faults.h"
#include "support/temp_folder.h"

using namespace valuelens;

namespace {

std::size_t files_in(const TempFolder & folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

std::size_t links_of(const std::filesystem::path & file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? status.st_nlink : 0;
}

} // namespace

TEST(AtomicFile, IsThereWholeOrNotAtAll) {
    const TempFolder folder;
    write_file(folder / "a", "old");
    {
        AtomicFile file(folder / "a");
        file.write("half");
        EXPECT_EQ(read_file(folder / "a"), "old");
    }
    EXPECT_EQ(read_file(folder / "a"), "old");
    AtomicFile file(folder / "a");
    file.write("new....");
    file.write_at(3, "est!", 4);
    file.commit();
    EXPECT_EQ(read_file(folder / "a"), "newest!");
    EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, OnlyARegularFileIsReplaced) {
    const TempFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    std::filesystem::create_directory(folder / "folder");
    expect_error(ErrorKind::bad_input, {"pipe", "cannot be replaced"}, [&] { write_file(folder / "pipe", "x"); });
    expect_error(ErrorKind::bad_input, {"folder", "is a folder"}, [&] { write_file(folder / "folder", "x"); });
    expect_error(ErrorKind::bad_input, {"/dev/null", "cannot be replaced"}, [&] { write_file("/dev/null", "x"); });
    EXPECT_TRUE(std::filesystem::is_fifo(folder / "pipe"));
    EXPECT_EQ(files_in(folder), 2u);
}

TEST(AtomicFile, TheFileBehindALinkIsReplacedAndNotTheLink) {
    const TempFolder folder;
    std::filesystem::create_directory(folder / "elsewhere");
    write_file(folder / "elsewhere" / "real", "old");
    std::filesystem::create_symlink("elsewhere/real", folder / "link");
    std::filesystem::create_symlink("elsewhere/new", folder / "dangling");
    write_file(folder / "link", "new");
    write_file(folder / "dangling", "made");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_EQ(read_file(folder / "elsewhere" / "real"), "new");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "dangling"));
    EXPECT_EQ(read_file(folder / "elsewhere" / "new"), "made");
}

TEST(AtomicFile, AFullDiskAtAnyOperationIsSaidAndLeavesTheOldFile) {
    const TempFolder folder;
    write_file(folder / "a", "old");
    long at = 0;
    for (bool failed = true; failed; ++at) {
        faults_arm(folder.path().c_str(), faults_full, at);
        failed = false;
        try {
            write_file(folder / "a", "new");
        } catch (const Error & error) {
            failed = true;
            EXPECT_EQ(error.kind(), ErrorKind::bad_input);
            EXPECT_THAT(error.what(), testing::HasSubstr((folder / "a").string() + ": cannot be "));
            EXPECT_THAT(error.what(), testing::HasSubstr("No space left"));
            EXPECT_THAT(error.what(), testing::HasSubstr("free some disk space and run the same command again"));
        }
        faults_disarm();
        EXPECT_EQ(read_file(folder / "a"), failed ? "old" : "new") << "operation " << at;
        EXPECT_EQ(files_in(folder), 1u) << "operation " << at;
    }
    EXPECT_GE(at, 4) << "creating, writing, flushing and renaming may fail";
}

TEST(AtomicFile, AFolderThatIsNotThereIsNamed) {
    const TempFolder folder;
    expect_error(ErrorKind::bad_input, {"absent/a: cannot be created"}, [&] { write_file(folder / "absent/a", "x"); });
}

TEST(LinkOrCopy, GivesTheFileAnotherName) {
    const TempFolder folder;
    write_file(folder / "a", "contents");
    write_file(folder / "b", "something else");
    const bool linked = link_or_copy(folder / "a", folder / "b");
    EXPECT_EQ(read_file(folder / "b"), "contents") << "what was there is replaced";
    EXPECT_EQ(links_of(folder / "a"), linked ? 2u : 1u);
    EXPECT_EQ(link_or_copy(folder / "a", folder / "b"), linked) << "again is fine";
    EXPECT_EQ(files_in(folder), 2u);
    write_file(folder / "b", "new"); // renamed over, so the other name keeps its file
    EXPECT_EQ(read_file(folder / "a"), "contents");
    expect_error(ErrorKind::bad_input, {"absent"}, [&] { link_or_copy(folder / "absent", folder / "c"); });
}

TEST(LinkOrCopy, CopiesWhereThereAreNoLinks) {
    const TempFolder folder;
    const std::string contents((3 << 20) + 1, 'x');
    write_file(folder / "a", contents);
    faults_arm(folder.path().c_str(), faults_no_links, 0);
    EXPECT_FALSE(link_or_copy(folder / "a", folder / "b"));
    EXPECT_EQ(links_of(folder / "b"), 1u);
    EXPECT_TRUE(read_file(folder / "b") == contents);
    std::filesystem::create_directory(folder / "sub");
    faults_arm((folder / "sub").c_str(), faults_full, 0);
    expect_error(ErrorKind::bad_input, {"sub/b", "No space left"},
                 [&] { link_or_copy(folder / "a", folder / "sub/b"); });
    faults_disarm();
    EXPECT_TRUE(std::filesystem::is_empty(folder / "sub"));
}

TEST(SideFiles, OfOneFileAreRemoved) {
    const TempFolder folder;
    for (const char * name : {"a", "a.12.0.partial", "a.x.partial", "ab.12.0.partial", "b.partial", "a.12.0"}) {
        write_file(folder / name, "x");
    }
    remove_side_files(folder / "a");
    for (const char * name : {"a", "ab.12.0.partial", "b.partial", "a.12.0"}) {
        EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
    }
    EXPECT_EQ(files_in(folder), 4u);
    remove_side_files(folder / "absent/a");
}

TEST(Folder, IsMadeWithThoseAbove) {
    const TempFolder folder;
    make_folder(folder / "a/b");
    make_folder(folder / "a/b");
    EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b"));
    write_file(folder / "file", "x");
    expect_error(ErrorKind::bad_input, {"file/sub", "cannot be made"}, [&] { make_folder(folder / "file/sub"); });
}
