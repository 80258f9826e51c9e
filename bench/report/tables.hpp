#pragma once
// The tables of a report, as HTML; "" where there is nothing to tell.

#include <string>

#include "collection.hpp"

namespace kinglet::tools::report {

std::string machine_table(const Collection& collection);
std::string limits_table(const Collection& collection);
std::string model_table(const Collection& collection);
/// Models against the first one of their run.
std::string latency_table(const Collection& collection);
/// Fresh processes up to the first output, at the reference.
std::string start_table(const Collection& collection);
std::string work_table(const Collection& collection);
std::string op_tables(const Collection& collection);
std::string memory_table(const Collection& collection);
std::string energy_table(const Collection& collection);
std::string accuracy_table(const Collection& collection);
/// Machines beside each other.
std::string comparison_table(const Collection& collection);

}  // namespace kinglet::tools::report
