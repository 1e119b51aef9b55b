-- Prices, and the page of a card after every WRK_EVERY of them (0: none). Prints one line of JSON.
local every = tonumber(os.getenv("WRK_EVERY"))
local cards = tonumber(os.getenv("WRK_CARDS"))
local price = {["Content-Type"] = "application/json", ["X-API-Key"] = os.getenv("WRK_KEY")}
local page = {["Accept"] = "text/html", ["Accept-Encoding"] = "gzip", ["X-API-Key"] = os.getenv("WRK_KEY")}
local number = 0

request = function()
  number = number + 1
  local card = (number * 7919) % cards
  if every > 0 and number % (every + 1) == 0 then
    return wrk.format("GET", string.format("/cards/card_%d", card), page)
  end
  return wrk.format("POST", "/fair_price", price, string.format('{"card_id":"card_%d"}', card))
end

done = function(summary, latency)
  local errors = summary.errors
  print(string.format('{"rate": %f, "p50": %f, "p95": %f, "p99": %f, "errors": %d}', summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
