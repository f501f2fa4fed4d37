-- The same 640 alerts again and again, 64 a request, as Prometheus re-sends them.
local bodies, turn = {}, 0
for group = 0, 9 do
  local alerts = {}
  for i = 1, 64 do
    alerts[i] = '{"labels":{"alertname":"DiskFull","instance":"again-' .. group .. '-' .. i ..
      '","severity":"critical","job":"node"},"annotations":{"summary":"Less than 5 % left on /var"},' ..
      '"startsAt":"2026-11-21T03:00:00Z","generatorURL":"http://prometheus.example/graph"}'
  end
  bodies[group] = "[" .. table.concat(alerts, ",") .. "]"
end
function request()
  turn = (turn + 1) % 10
  return wrk.format("POST", "/api/v2/alerts", {["Content-Type"] = "application/json"}, bodies[turn])
end
