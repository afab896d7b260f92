#include "steer/npz.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/fail.h"
#include "base/file.h"
#include "store/half.h"

namespace valuelens {

namespace {

constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::size_t local_size = 30;
constexpr std::size_t central_size = 46;
constexpr std::size_t end_size = 22;
constexpr std::uint32_t zip64_mark = 0xffffffff;
constexpr std::uint16_t utf8_flag = 0x0800;
constexpr std::uint16_t encrypted_flag = 0x0001;
constexpr std::uint16_t first_of_1980 = 0x0021; // the earliest date that a zip can state
constexpr std::string_view npy_magic = "\x93NUMPY";

template <typename T>
void append(std::string & to, T value) {
    to.append(reinterpret_cast<const char *>(&value), sizeof(value));
}

template <typename T>
T number_at(std::string_view bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
}

std::string npy_file(const NpyArray & array) {
    std::string shape;
    for (const std::size_t size : array.shape) {
        shape += fmt::format("{}, ", size);
    }
    if (array.shape.size() > 1) {
        shape.resize(shape.size() - 2); // only a single dimension keeps Python's comma
    } else if (!shape.empty()) {
        shape.pop_back();
    }
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", array.descr, shape);
    constexpr std::size_t prefix = 10; // magic, version, length
    constexpr std::size_t alignment = 64;
    header.resize((prefix + header.size() + 1 + alignment - 1) / alignment * alignment - prefix - 1, ' ');
    header += '\n';
    std::string file(npy_magic);
    file += std::string("\x01\x00", 2);
    append(file, static_cast<std::uint16_t>(header.size()));
    return file + header + array.bytes;
}

/// The fields that a member's local header and its entry in the directory have in common.
std::string member_fields(const std::string & name, const std::string & contents) {
    std::string fields;
    const bool ascii =
        std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    append(fields, std::uint16_t{20}); // needed to extract: version 2.0
    append(fields, ascii ? std::uint16_t{0} : utf8_flag);
    append(fields, std::uint16_t{0}); // stored
    append(fields, std::uint16_t{0}); // time
    append(fields, first_of_1980);
    append(fields, crc32(contents));
    append(fields, static_cast<std::uint32_t>(contents.size()));
    append(fields, static_cast<std::uint32_t>(contents.size()));
    append(fields, static_cast<std::uint16_t>(name.size()));
    append(fields, std::uint16_t{0}); // no extra field
    return fields;
}

/// What stands behind `'key': ` in the dictionary of a .npy header.
std::optional<std::string_view> header_value(std::string_view header, std::string_view key) {
    const std::size_t at = header.find(fmt::format("'{}':", key));
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view rest = header.substr(at + key.size() + 3);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    return rest;
}

std::optional<std::vector<std::size_t>> parse_shape(std::string_view text) {
    const std::size_t end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) {
        return std::nullopt;
    }
    text = text.substr(1, end - 1);
    std::vector<std::size_t> shape;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
        if (text.empty()) {
            return shape;
        }
        std::size_t size = 0;
        const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), size);
        if (problem != std::errc()) {
            return std::nullopt;
        }
        shape.push_back(size);
        text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    }
}

/// Bytes per element; 0: a type that is not read.
std::size_t item_size(std::string_view descr) {
    if (descr == "<f2") {
        return 2;
    }
    if (descr == "<f4" || descr == "<i4") {
        return 4;
    }
    if (descr == "<f8" || descr == "<i8") {
        return 8;
    }
    std::size_t characters = 0;
    if (descr.starts_with("<U") &&
        std::from_chars(descr.data() + 2, descr.data() + descr.size(), characters).ec == std::errc() &&
        characters < (std::size_t{1} << 24)) {
        return 4 * characters;
    }
    return 0;
}

/// Column-major [rows, columns] to row-major.
std::string transposed(const std::string & bytes, std::size_t rows, std::size_t columns, std::size_t item) {
    std::string result(bytes.size(), '\0');
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            std::memcpy(result.data() + (r * columns + c) * item, bytes.data() + (c * rows + r) * item, item);
        }
    }
    return result;
}

} // namespace

std::uint32_t crc32(std::string_view bytes) {
    static const std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> entries{};
        for (std::uint32_t i = 0; i < entries.size(); ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit) {
                value = (value >> 1) ^ ((value & 1u) != 0 ? 0xedb88320u : 0u);
            }
            entries[i] = value;
        }
        return entries;
    }();
    std::uint32_t crc = 0xffffffffu;
    for (const char c : bytes) {
        crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xffu];
    }
    return ~crc;
}

NpyArray npy_array(std::vector<std::size_t> shape, std::span<const float> values) {
    return {"<f4", std::move(shape), std::string(reinterpret_cast<const char *>(values.data()), values.size_bytes())};
}

NpyArray npy_array(std::vector<std::size_t> shape, std::span<const std::int64_t> values) {
    return {"<i8", std::move(shape), std::string(reinterpret_cast<const char *>(values.data()), values.size_bytes())};
}

NpyArray npy_text(std::string_view text) {
    NpyArray array{fmt::format("<U{}", text.size()), {}, {}};
    for (const char c : text) {
        append(array.bytes, static_cast<std::uint32_t>(static_cast<unsigned char>(c)));
    }
    return array;
}

void write_npz(const std::filesystem::path & path, const std::map<std::string, NpyArray> & arrays) {
    AtomicFile file(path);
    std::string directory;
    for (const auto & [key, array] : arrays) {
        const std::string name = key + ".npy";
        const std::string contents = npy_file(array);
        if (file.size() + contents.size() > zip64_mark / 2 || name.size() > 0xffff) {
            fail(ErrorKind::bad_input, "{}: \"{}\" does not fit into a .npz file; write safetensors instead",
                 path.string(), key);
        }
        const std::string fields = member_fields(name, contents);
        const auto offset = static_cast<std::uint32_t>(file.size());
        std::string header;
        append(header, local_signature);
        file.write(header + fields + name);
        file.write(contents);

        append(directory, central_signature);
        append(directory, std::uint16_t{20}); // made by version 2.0
        directory += fields;
        append(directory, std::uint16_t{0}); // no comment
        append(directory, std::uint16_t{0}); // first disk
        append(directory, std::uint16_t{0}); // internal attributes
        append(directory, std::uint32_t{0}); // external attributes
        append(directory, offset);
        directory += name;
    }
    std::string end;
    append(end, end_signature);
    append(end, std::uint16_t{0}); // this disk
    append(end, std::uint16_t{0}); // disk of the directory
    append(end, static_cast<std::uint16_t>(arrays.size()));
    append(end, static_cast<std::uint16_t>(arrays.size()));
    append(end, static_cast<std::uint32_t>(directory.size()));
    append(end, static_cast<std::uint32_t>(file.size()));
    append(end, std::uint16_t{0}); // no comment
    file.write(directory + end);
    file.commit();
}

NpzFile::NpzFile(const std::filesystem::path & path) : path_(path) {
    const std::string bytes = read_file(path);
    const std::string_view view = bytes;
    const auto damaged = [&](const std::string & what) {
        fail(ErrorKind::bad_input, "{}: {}; it is no .npz file of numpy.savez, or is damaged", path_.string(), what);
    };
    std::string signature;
    append(signature, end_signature);
    const std::size_t end = view.rfind(signature);
    if (end == std::string_view::npos || end + end_size > view.size()) {
        damaged("has no zip directory");
    }
    const auto count = number_at<std::uint16_t>(view, end + 10);
    std::size_t at = number_at<std::uint32_t>(view, end + 16);
    for (unsigned i = 0; i < count; ++i) {
        if (at + central_size > view.size() || number_at<std::uint32_t>(view, at) != central_signature) {
            damaged("its zip directory cannot be read");
        }
        const auto flags = number_at<std::uint16_t>(view, at + 8);
        const auto method = number_at<std::uint16_t>(view, at + 10);
        const auto crc = number_at<std::uint32_t>(view, at + 16);
        const auto size = number_at<std::uint32_t>(view, at + 24);
        const auto name_size = number_at<std::uint16_t>(view, at + 28);
        const auto local = number_at<std::uint32_t>(view, at + 42);
        std::string name(view.substr(at + central_size, name_size));
        at += central_size + name_size + number_at<std::uint16_t>(view, at + 30) +
              number_at<std::uint16_t>(view, at + 32);
        if (!name.ends_with(".npy")) {
            continue;
        }
        name.resize(name.size() - 4);
        if (method != 0 || (flags & encrypted_flag) != 0) {
            fail(ErrorKind::bad_input, "{}: \"{}\" is compressed; save the file with numpy.savez", path_.string(),
                 name);
        }
        if (size == zip64_mark || local == zip64_mark) {
            fail(ErrorKind::bad_input, "{}: \"{}\" is larger than 4 GiB; save it as safetensors", path_.string(), name);
        }
        if (local + local_size > view.size() || number_at<std::uint32_t>(view, local) != local_signature) {
            damaged(fmt::format("\"{}\" does not begin where its directory says", name));
        }
        const std::size_t begin = local + local_size + number_at<std::uint16_t>(view, local + 26) +
                                  number_at<std::uint16_t>(view, local + 28);
        if (begin + size > view.size()) {
            damaged(fmt::format("\"{}\" is truncated", name));
        }
        std::string contents(view.substr(begin, size));
        if (crc32(contents) != crc) {
            damaged(fmt::format("\"{}\" has a wrong checksum", name));
        }
        members_[name] = std::move(contents);
    }
}

std::vector<std::string> NpzFile::names() const {
    std::vector<std::string> names;
    for (const auto & [name, contents] : members_) {
        names.push_back(name);
    }
    return names;
}

NpyArray NpzFile::find(const std::string & name) const {
    const auto found = members_.find(name);
    if (found == members_.end()) {
        fail(ErrorKind::bad_input, "{}: has no array \"{}\"; it has: {}", path_.string(), name,
             fmt::join(names(), ", "));
    }
    const std::string_view file = found->second;
    const auto bad = [&](const std::string & what) {
        fail(ErrorKind::bad_input, "{}: array \"{}\" {}", path_.string(), name, what);
    };
    if (file.size() < 12 || !file.starts_with(npy_magic)) {
        bad("is not a .npy file");
    }
    const bool wide = file[6] > 1; // versions 2 and 3 have a longer length
    const std::size_t length =
        wide ? number_at<std::uint32_t>(file, 8) : static_cast<std::size_t>(number_at<std::uint16_t>(file, 8));
    const std::size_t begin = (wide ? 12 : 10) + length;
    if (begin > file.size()) {
        bad("is truncated");
    }
    const std::string_view header = file.substr(wide ? 12 : 10, length);
    const auto descr = header_value(header, "descr");
    const auto order = header_value(header, "fortran_order");
    const auto shape_text = header_value(header, "shape");
    const auto shape = shape_text ? parse_shape(*shape_text) : std::nullopt;
    if (!descr || !order || !shape) {
        bad("has a header that cannot be read");
    }
    NpyArray array;
    if (descr->starts_with('\'')) {
        array.descr = descr->substr(1, descr->find('\'', 1) - 1);
    }
    array.shape = *shape;
    const std::size_t item = item_size(array.descr);
    if (item == 0) {
        bad(fmt::format("has the type {}, expected little-endian floating point, whole numbers or text",
                        array.descr.empty() ? "of a record" : array.descr));
    }
    std::size_t left = (file.size() - begin) / item;
    for (const std::size_t size : array.shape) {
        if (size != 0 && left % size != 0) {
            bad("holds another number of elements than its shape says");
        }
        left = size == 0 ? left : left / size;
    }
    if (left != 1 || (file.size() - begin) % item != 0) {
        bad("holds another number of elements than its shape says");
    }
    array.bytes = file.substr(begin);
    if (order->starts_with("True") && array.shape.size() > 1) {
        if (array.shape.size() > 2) {
            bad("has more than two dimensions in Fortran order; save numpy.ascontiguousarray() of it");
        }
        array.bytes = transposed(array.bytes, array.shape[0], array.shape[1], item);
    }
    return array;
}

std::vector<float> NpzFile::read_f32(const std::string & name) const {
    const NpyArray array = find(name);
    std::vector<float> values;
    const auto convert = [&]<typename T>(auto && to_float) {
        for (std::size_t at = 0; at + sizeof(T) <= array.bytes.size(); at += sizeof(T)) {
            values.push_back(to_float(number_at<T>(array.bytes, at)));
        }
    };
    if (array.descr == "<f4") {
        convert.template operator()<float>([](float x) { return x; });
    } else if (array.descr == "<f8") {
        convert.template operator()<double>([](double x) { return static_cast<float>(x); });
    } else if (array.descr == "<f2") {
        convert.template operator()<std::uint16_t>([](std::uint16_t x) { return half_to_float(x); });
    } else {
        fail(ErrorKind::bad_input, "{}: array \"{}\" has the type {}, expected floating point", path_.string(), name,
             array.descr);
    }
    return values;
}

std::vector<std::int64_t> NpzFile::read_i64(const std::string & name) const {
    const NpyArray array = find(name);
    const bool wide = array.descr == "<i8";
    if (!wide && array.descr != "<i4") {
        fail(ErrorKind::bad_input, "{}: array \"{}\" has the type {}, expected whole numbers", path_.string(), name,
             array.descr);
    }
    std::vector<std::int64_t> values;
    const std::size_t item = wide ? 8 : 4;
    for (std::size_t at = 0; at + item <= array.bytes.size(); at += item) {
        values.push_back(wide ? number_at<std::int64_t>(array.bytes, at) : number_at<std::int32_t>(array.bytes, at));
    }
    return values;
}

std::string NpzFile::read_text(const std::string & name) const {
    const NpyArray array = find(name);
    std::string text;
    if (!array.descr.starts_with("<U")) {
        return text;
    }
    for (std::size_t at = 0; at + 4 <= array.bytes.size(); at += 4) {
        const auto code = number_at<std::uint32_t>(array.bytes, at);
        if (code == 0 || code > 127) {
            return code == 0 ? text : std::string();
        }
        text += static_cast<char>(code);
    }
    return text;
}

} // namespace valuelens
