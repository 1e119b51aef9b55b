-- Distinct requests for wrk: WRK_BODY's %d counts up to WRK_CARDS. Prints one line of JSON.
local template = os.getenv("WRK_BODY")
local cards = tonumber(os.getenv("WRK_CARDS"))
local headers = {["Content-Type"] = "application/json", ["X-API-Key"] = os.getenv("WRK_KEY")}
local number = 0

request = function()
  number = number + 1
  return wrk.format("POST", "/fair_price", headers, (template:gsub("%%d", number % cards)))
end

done = function(summary, latency)
  local errors = summary.errors
  print(string.format('{"rate": %f, "p50": %f, "p95": %f, "p99": %f, "errors": %d}', summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
