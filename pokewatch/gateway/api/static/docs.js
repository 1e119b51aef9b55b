"use strict";

const key = document.getElementById("key");

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const status = form.querySelector("output"), answer = form.querySelector("pre");
    let path = form.dataset.path;
    const query = new URLSearchParams();
    const headers = key.value ? { "X-API-Key": key.value } : {};
    for (const input of form.querySelectorAll("input[data-in]")) {
      if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
      else if (input.dataset.in === "header" && input.value !== "") headers[input.name] = input.value;
      else if (input.value !== "") query.set(input.name, input.value);
    }
    const body = form.querySelector("textarea")?.value;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    answer.hidden = true;
    status.textContent = "...";
    try {
      const response = await fetch(path + (query.size ? `?${query}` : ""), { method: form.dataset.method, headers, body });
      const text = await response.text();
      const type = response.headers.get("content-type") ?? "";
      answer.textContent = type.includes("json") && text ? JSON.stringify(JSON.parse(text), null, 2) : text;
      answer.hidden = !text;
      status.textContent = `${response.status} ${response.statusText}`;
    } catch (error) {
      status.textContent = String(error);
    }
  });
}
