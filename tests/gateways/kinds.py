"""How each gateway is started with its shipped file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.gateways.gate import FILES, JIT, fitted, free_port, program, running

# What stands around the shipped file in Debian's own nginx.conf, with all files in one folder.
_NGINX = """\
user root;
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@asynccontextmanager
async def nginx(folder: Path, *, jit: str, api: str) -> AsyncIterator[str]:
    port = free_port()
    site = fitted(
        "nginx.conf", jit=jit, api=api, port=port, **{"/var/cache/nginx/jit": f"{folder}/cache"}
    )
    (folder / "site.conf").write_text(site, "utf-8")
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder), "utf-8")
    command = [program("nginx", package="nginx"), "-p", str(folder), "-c", "nginx.conf"]
    async with running([*command, "-e", "stderr"], port=port):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def caddy(folder: Path, *, jit: str, api: str) -> AsyncIterator[str]:
    port = free_port()
    site = "{\n\tadmin off\n\tauto_https off\n}\n"
    site += fitted("Caddyfile", jit=jit, api=api, port=port)
    (folder / "Caddyfile").write_text(site, "utf-8")
    command = [program("caddy", package="caddy"), "run", "--adapter", "caddyfile"]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    async with running([*command, "--config", str(folder / "Caddyfile")], port=port, env=home):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def haproxy(folder: Path, *, jit: str, api: str) -> AsyncIterator[str]:
    port, lua = free_port(), folder / "jit.lua"
    site = fitted("haproxy.cfg", jit=jit, api=api, port=port, **{"/etc/haproxy/jit.lua": str(lua)})
    (folder / "haproxy.cfg").write_text(site, "utf-8")
    lua.write_text((FILES / "jit.lua").read_text("utf-8"), "utf-8")
    command = [program("haproxy", package="haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]
    async with running(command, port=port):
        yield f"http://127.0.0.1:{port}"


# What stands around the shipped file in Debian's own apache2.conf, with all files in one folder.
_APACHE = """\
ServerRoot {folder}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
Mutex file:{folder} default
ErrorLog /dev/stderr
ServerName 127.0.0.1
User www-data
Group www-data
{modules}
<Directory />
    Require all denied
</Directory>
Include {folder}/site.conf
"""
_MODULES = (
    *("mpm_event", "authz_core", "setenvif", "headers", "rewrite"),
    *("proxy", "proxy_http", "lua"),
)


@asynccontextmanager
async def apache(folder: Path, *, jit: str, api: str) -> AsyncIterator[str]:
    port, lua = free_port(), folder / "jit-apache.lua"
    shipped = "/etc/apache2/jit-apache.lua"
    site = fitted("apache.conf", jit=jit, api=api, port=port, **{shipped: str(lua)})
    (folder / "site.conf").write_text(site, "utf-8")
    text = (FILES / "jit-apache.lua").read_text("utf-8")
    lua.write_text(text.replace(JIT, jit.removeprefix("http://")), "utf-8")
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _MODULES
    )
    conf = folder / "apache.conf"
    conf.write_text(_APACHE.format(folder=folder, modules=modules), "utf-8")
    command = [program("apache2", package="apache2"), "-D", "FOREGROUND", "-f", str(conf)]
    async with running(command, port=port):
        yield f"http://127.0.0.1:{port}"
