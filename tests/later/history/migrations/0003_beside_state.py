from django.db import migrations, models

from tests.later.notes import noting

BESIDE = {"model_name": "BesideState"}


class Migration(migrations.Migration):
    dependencies = [("xblock_history", "0002_code_and_sql")]

    operations = [
        migrations.CreateModel("BesideState", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("besidestate", "attempts", models.IntegerField(default=0)),
        migrations.RunPython(noting("beside"), noting("beside undone"), hints=BESIDE),
        migrations.RunSQL("CREATE TABLE beside_sql (id integer)", "DROP TABLE beside_sql", hints=BESIDE),
    ]
