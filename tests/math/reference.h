#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "math/row_matrix.h"

namespace valuelens {

/// Reference values beside the tests, made by the make_*_reference.py of the same name.
inline nlohmann::json load_reference(const std::string & name) {
    std::ifstream file(std::string(VALUELENS_SOURCE_DIR) + "/tests/math/" + name);
    if (!file) {
        throw std::runtime_error("tests/math/" + name + " is missing");
    }
    return nlohmann::json::parse(file);
}

/// A list of rows as a table.
inline RowMatrix reference_matrix(const nlohmann::json & rows) {
    RowMatrix result(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(rows.at(0).size()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto row = rows[i].get<std::vector<double>>();
        result.row(static_cast<Eigen::Index>(i)) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), result.cols());
    }
    return result;
}

} // namespace valuelens
